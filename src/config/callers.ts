import { z } from 'zod'
import type { CallerConfig } from './config.ts'
import { METHODS } from './methods.ts'
import { attempt, Mistake } from './mistake.ts'
import { OPERATOR } from './operator-token.ts'
import type { Report } from './problem.ts'
import { type ReadSecret, sourceSchema } from './secret-source.ts'
import { text } from './shape.ts'
import { didYouMean } from './suggest.ts'

/** Each call compares its token with all of them. */
const CALLERS_MAX = 10_000
/** Of one caller; who needs more needs a second name. */
const RULES_MAX = 100
/** Of one list; more is what a trailing `*` is for. */
const PATTERNS_MAX = 1_000
/** Bytes of an account's name, as the API has it. */
const ACCOUNT_BYTES_MAX = 256
const ANY = '*'
const SHA256 = /^[0-9A-Fa-f]{64}$/
const NOT_SHA256 =
  'expected the SHA-256 of the token as 64 hex digits, as `token-broker callers create` prints it'

const patterns = (parse: (written: string) => string) => z.array(text(parse)).min(1).max(PATTERNS_MAX)

const ruleSchema = z.strictObject({
  providers: patterns(parseProviderPattern),
  accounts: patterns(parseAccountPattern),
  methods: patterns(parseMethod),
})

/** One of `callers`. A hash is no secret, so it may stand in the file. */
export const callerSchema = z.strictObject({
  name: text(parseName),
  token_sha256: z.union([text(parseSha256), sourceSchema]),
  expires: text(parseExpiry).optional(),
  allow: z.array(ruleSchema).max(RULES_MAX),
})

/** `callers`. */
export const callersSchema = z.array(callerSchema).max(CALLERS_MAX)

type WrittenCaller = z.output<typeof callerSchema>

function parseName(written: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(written)) {
    throw new Mistake('expected 1 to 64 letters, digits, dots, hyphens or underscores')
  }
  if (written === OPERATOR) throw new Mistake('is the name of the holder of operator.token; take another')
  return written
}

function parseSha256(written: string): string {
  if (written.startsWith('tb_')) {
    throw new Mistake(
      'is the token itself; make a new one with `token-broker callers create`, keep its SHA-256',
    )
  }
  if (!SHA256.test(written)) throw new Mistake(NOT_SHA256)
  return written.toLowerCase()
}

const isDate = z.union([z.iso.date(), z.iso.datetime({ offset: true })])

/** A date is its first moment in UTC. */
function parseExpiry(written: string): number {
  if (!isDate.safeParse(written).success) {
    throw new Mistake('expected a date or a time such as 2027-01-31 or 2027-01-31T12:00:00Z')
  }
  return Date.parse(written)
}

function parseProviderPattern(written: string): string {
  if (written !== ANY && !/^[a-z][a-z0-9-]{0,62}\*?$/.test(written)) {
    throw new Mistake('expected the id of a provider, the beginning of one and *, or * alone')
  }
  return written
}

function parseAccountPattern(written: string): string {
  const exact = written.endsWith(ANY) ? written.slice(0, -1) : written
  if (exact.includes(ANY)) throw new Mistake('* stands for the rest of a name, so only at its end')
  const isName =
    !/[\p{Cc}\ufffd]/u.test(exact) &&
    exact === exact.normalize('NFC') &&
    Buffer.byteLength(exact) <= ACCOUNT_BYTES_MAX
  if (!isName) throw new Mistake('expected at most 256 bytes of NFC text without control characters')
  return written
}

function parseMethod(written: string): string {
  if (written === ANY || METHODS.includes(written)) return written
  throw new Mistake(`expected the name of an RPC without its service, or *${didYouMean(written, METHODS)}`)
}

/** Reads the hashes of all callers and checks that names and tokens are told apart. */
export async function readCallers(
  written: readonly WrittenCaller[],
  readSecret: ReadSecret,
  report: Report,
): Promise<CallerConfig[]> {
  const callers = await Promise.all(
    written.map((caller, index) => readCaller(caller, readSecret, ['callers', index], report)),
  )
  requireUnique(
    written.map(caller => caller.name),
    (index, first) => {
      report(['callers', index, 'name'], `is the name of callers[${first}] too`)
    },
  )
  requireUnique(
    callers.map(caller => caller?.tokenSha256),
    (index, first) => {
      report(
        ['callers', index, 'token_sha256'],
        `is the token of callers[${first}] too; each caller has its own`,
      )
    },
  )
  return callers.filter(caller => caller !== undefined)
}

async function readCaller(
  { name, token_sha256: hash, expires, allow }: WrittenCaller,
  readSecret: ReadSecret,
  path: PropertyKey[],
  report: Report,
): Promise<CallerConfig | undefined> {
  const tokenSha256 = await attempt(report, [...path, 'token_sha256'], async () =>
    typeof hash === 'string' ? hash : parseSha256((await readSecret(hash)).expose()),
  )
  return tokenSha256 === undefined ? undefined : { name, tokenSha256, expiresAtMs: expires, allow }
}

function requireUnique(
  values: readonly (string | undefined)[],
  onRepeated: (index: number, first: number) => void,
): void {
  const seen = new Map<string, number>()
  for (const [index, value] of values.entries()) {
    const first = value === undefined ? undefined : seen.get(value)
    if (first !== undefined) onRepeated(index, first)
    else if (value !== undefined) seen.set(value, index)
  }
}
