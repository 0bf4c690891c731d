import { stripVTControlCharacters, styleText } from 'node:util'
import type { Environment } from '../config/environment.ts'
import type { Io, Sink } from './io.ts'

/** A colour or weight by what it means. */
export type Tone = 'good' | 'bad' | 'warning' | 'heading'

/** Gives text a tone, or leaves it as it is. */
export type Style = (tone: Tone, text: string) => string

const FORMATS = { good: 'green', bad: 'red', warning: 'yellow', heading: 'bold' } as const

/** Colours for people only: not in pipes and files, not if NO_COLOR (https://no-color.org) or a dumb terminal asks. */
export function styleFor(sink: Sink, env: Environment): Style {
  if (!sink.isTTY || env.NO_COLOR || env.TERM === 'dumb') return (_, text) => text
  return (tone, text) => styleText(FORMATS[tone], text, { validateStream: false })
}

/** Prints lines on stdout: the answer of a command. */
export function print(io: Io, ...lines: readonly string[]): void {
  for (const line of lines) io.stdout.write(`${line}\n`)
}

/** Prints lines on stderr: what a person should know beside the answer. */
export function note(io: Io, ...lines: readonly string[]): void {
  for (const line of lines) io.stderr.write(`${line}\n`)
}

/** Prints the one JSON document of a `--json` command. */
export function printJson(io: Io, document: unknown): void {
  print(io, JSON.stringify(document, undefined, 2))
}

/** Prints one of the JSON documents of a `--json` command that does not end by itself, on a line of its own. */
export function printJsonLine(io: Io, document: unknown): void {
  print(io, JSON.stringify(document))
}

/**
 * Makes foreign text safe for a terminal: control characters and those that reverse the direction of
 * writing become `?`, so that no account name can move the cursor or hide what stands beside it.
 */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '?')
}

/** Counts things: `1 file`, `2 files`, `0 files`. */
export function counted(count: number, one: string): string {
  return `${count} ${one}${count === 1 ? '' : 's'}`
}

/** Aligns rows under headings, two spaces apart. Cells may be styled; the last column is not padded. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const lines = [headings, ...rows]
  const widths = headings.map((_, column) => Math.max(...lines.map(cells => width(cells[column] ?? ''))))
  return lines.map(cells => {
    const padded = cells.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - width(cell)))
    return padded.join('  ').trimEnd()
  })
}

/** Aligns values behind their labels, indented by two spaces. Undefined and empty values are left out. */
export function fields(rows: readonly (readonly [label: string, value: string | undefined])[]): string[] {
  const present = rows.filter(([, value]) => value !== undefined && value !== '')
  const labelWidth = Math.max(0, ...present.map(([label]) => width(label)))
  return present.map(([label, value]) => `  ${label.padEnd(labelWidth)}  ${value}`)
}

function width(text: string): number {
  return [...stripVTControlCharacters(text)].length
}
