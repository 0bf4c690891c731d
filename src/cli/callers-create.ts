import { randomBytes } from 'node:crypto'
import { createCallerToken } from '../config/caller-token.ts'
import { type CallerEntry, entryToYaml, parseAllow, requireValid } from './caller-entry.ts'
import { EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { note, print, printJson, styleFor } from './output.ts'
import { formatInstant, formatTime } from './time.ts'

export interface CallersCreateOptions {
  /** `PROVIDER[:ACCOUNT]=METHOD,METHOD` each. */
  readonly allow: readonly string[]
  /** Milliseconds from now. */
  readonly expires: number
  readonly json?: boolean
}

/** Makes a token for a caller: prints it once, with the lines that the configuration keeps of it. */
export async function callersCreate(name: string, options: CallersCreateOptions, io: Io): Promise<number> {
  const { token, sha256 } = createCallerToken(randomBytes)
  const now = io.now()
  const expireTime = new Date(now + options.expires)
  const entry = {
    name,
    token_sha256: sha256,
    expires: formatInstant(expireTime),
    allow: options.allow.map(parseAllow),
  }
  requireValid(entry)
  if (options.json) printJson(io, { token: token.expose(), caller: entry, yaml: entryToYaml(entry) })
  else print(io, ...sheet(entry, token.expose(), formatTime(expireTime, now) ?? '', io))
  if (entry.allow.length === 0) {
    note(
      io,
      'This caller may do nothing yet: add --allow PROVIDER=GetAccessToken,GetStatus or fill in allow.',
    )
  }
  return EXIT.ok
}

function sheet(entry: CallerEntry, token: string, expires: string, io: Io): string[] {
  const style = styleFor(io.stdout, io.env)
  return [
    style('heading', `The token of ${entry.name}, shown this once; it expires ${expires}:`),
    '',
    `  ${token}`,
    '',
    style('heading', 'Under callers: in broker.yaml, which needs only its hash:'),
    '',
    ...entryToYaml(entry)
      .split('\n')
      .map(line => `  ${line}`),
  ]
}
