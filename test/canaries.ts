import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Every value that the program itself holds to be secret is a canary: while tests run, each `Secret` that is made is
 * noted here, and so is what reaches a place where none may be: the log, the status of a call, what commands print, HTTP
 * answers, files, and what `serve` prints in a process of its own. See setup-canaries.ts.
 *
 * What it does not see: values below 20 characters, all but the last 1,000 of a test file, values in another spelling than
 * their own and base64 (percent-encoded, and within a longer text in base64), the headers Set-Cookie and Location, and
 * secrets that only a process of its own has made: of those only what the test itself wrote for it, and its operator's
 * token, are known.
 */

/** Shorter ones occur by chance, or are no secrets: `x`, `the-secret`. */
const LENGTH_MIN = 20
/** Of one test file; property tests make millions. The last ones are kept. */
const CANARIES_MAX = 1_000
/** Characters of one sink that are looked at. */
const SINK_LENGTH_MAX = 4 * 1024 * 1024

/** Values, each with the same in base64. */
const canaries = new Map<string, string>()
const found = new Map<string, string>()

/** Notes a value of a `Secret`. Addresses and documents are wrapped because of what they hold, which is noted too. */
export function noteSecret(value: string): void {
  const bare = value.replace(/^(Bearer|Basic) /, '')
  if (bare.length < LENGTH_MIN || !/^[\w.~+/=-]+$/.test(bare)) return
  canaries.delete(bare)
  canaries.set(bare, base64Of(bare))
  const [oldest] = canaries.keys()
  if (canaries.size > CANARIES_MAX && oldest !== undefined) canaries.delete(oldest)
}

/** Looks at what has reached a place where no secret may be. */
export function noteSink(name: string, text: string): void {
  const looked = text.slice(0, SINK_LENGTH_MAX)
  for (const [canary, base64] of canaries) {
    if (looked.includes(canary) || looked.includes(base64)) found.set(canary, name)
  }
}

/** Without its last characters, which depend on what follows. */
const base64Of = (text: string) => Buffer.from(text).toString('base64').slice(0, -4)

/** Headers whose very purpose is to give a browser something secret: its cookie, and state on its way to the provider. */
const MEANT = ['set-cookie', 'location']

/** Looks at an HTTP answer: the page and its headers. */
export function notePage(headers: Readonly<Record<string, unknown>>, text: string): void {
  const looked = Object.entries(headers).filter(([name]) => !MEANT.includes(name.toLowerCase()))
  noteSink('the headers of a page', JSON.stringify(looked))
  noteSink('a page', text.replaceAll(TO_PROVIDER, ''))
}

/** The same state in a page that leads there. */
const TO_PROVIDER = /&amp;state=[\w-]+/g

/** What the program itself writes to disk; the others in a folder are the test's: its configuration, its keys. */
const WRITTEN = /\.(db|db-wal|db-shm|spool|mark|ndjson|log)$/

/** Looks at every file in a folder that the program has written. Links are not followed. */
export function noteFolder(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) noteFolder(path)
    else if (entry.isFile() && WRITTEN.test(entry.name)) {
      noteSink(`the file ${entry.name}`, readFileSync(path, 'latin1'))
    }
  }
}

/** Where secrets were found, each with the beginning of one; forgets them. */
export function takeFound(): string[] {
  const places = [...found].map(([canary, name]) => `${canary.slice(0, 8)}… in ${name}`)
  found.clear()
  return places
}

/** How many values are looked for. */
export function countCanaries(): number {
  return canaries.size
}
