import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { BrokerError } from '../broker/errors.ts'
import type { Clock, Log } from '../broker/ports.ts'
import type { JwksSource } from '../config/config.ts'

/** The public keys of one issuer. */
export interface Jwks {
  /**
   * The key that a header names.
   *
   * Rejects as jose does if there is none, with a BrokerError `BROKER_UNAVAILABLE` if no keys could be read yet.
   */
  readonly keyFor: JWTVerifyGetKey
  /** Counts how often the keys have changed: what was checked with others has to be checked again. */
  generation(): number
}

/** What {@link createJwks} needs. */
export interface JwksOptions {
  readonly read: () => Promise<string>
  /** For the log. */
  readonly source: JwksSource
  /** How many tokens may wait for this issuer now; never more than {@link WAITING_MAX}. */
  readonly waitingMax: () => number
  readonly clock: Pick<Clock, 'monotonic' | 'schedule'>
  readonly log: Log
}

/** Milliseconds between two readings, whoever asks for keys that are not there: anybody can make up a key id. */
export const REREAD_MS = 30_000
/** The same while there are no keys at all, and every caller waits. */
const FIRST_RETRY_MS = 5_000
/** Milliseconds after which the keys are read again although none is missing: one may have been withdrawn. */
export const KEYS_AGE_MS = 10 * 60_000
/** Milliseconds that callers wait for an issuer. */
export const READ_MS_MAX = 5_000
/**
 * Tokens that wait for one issuer at a time, a quarter of those of it that are checked: with more, strangers who make
 * up tokens would take the places of all others. A token whose key is known never waits.
 */
export const WAITING_MAX = 250
/** When one beyond that may try again: an issuer that works has answered by then. */
const CROWDED_RETRY_MS = 1_000
/** Keys of one issuer; real sets have fewer than ten. */
const KEYS_MAX = 100

/**
 * Creates the keys of one issuer, which are first read when they are first needed. While they cannot be read,
 * those that were read last stay good.
 */
export function createJwks({ read, source, waitingMax, clock, log }: JwksOptions): Jwks {
  let text = ''
  let keys: ReturnType<typeof createLocalJWKSet> | undefined
  let generation = 0
  let readAt = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined
  let waiting = 0

  /** Never rejects. */
  async function reread(): Promise<void> {
    triedAt = clock.monotonic()
    try {
      const fresh = await readKeySet(read, clock)
      readAt = clock.monotonic()
      if (fresh === text) return
      keys = createLocalJWKSet(JSON.parse(fresh) as JSONWebKeySet)
      text = fresh
      generation++
      log.info('Read the keys of an issuer', { source: nameOfSource(source) })
    } catch (error) {
      const what = keys === undefined ? 'its callers are refused' : 'those read last stay good'
      log.error(`Could not read the keys of an issuer: ${what}`, { source: nameOfSource(source), error })
    }
  }

  /** Shares a reading that is under way; starts none within so many milliseconds of the last one. */
  function refresh(intervalMs: number): Promise<void> | undefined {
    if (reading === undefined && clock.monotonic() - triedAt < intervalMs) return undefined
    reading ??= reread().finally(() => {
      reading = undefined
    })
    return reading
  }

  /** @throws BrokerError `BROKER_UNAVAILABLE` */
  async function waitFor(read: Promise<void> | undefined): Promise<void> {
    if (waiting >= Math.min(waitingMax(), WAITING_MAX)) throw crowded()
    waiting++
    await read
    waiting--
  }

  async function current(): Promise<NonNullable<typeof keys>> {
    if (keys === undefined) await waitFor(refresh(FIRST_RETRY_MS))
    else if (clock.monotonic() - readAt >= KEYS_AGE_MS) void refresh(REREAD_MS)
    if (keys === undefined) throw unavailable()
    return keys
  }

  return {
    generation: () => generation,
    async keyFor(header, token) {
      const found = await current()
      try {
        return await found(header, token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        const rereading = refresh(REREAD_MS)
        if (rereading === undefined) throw error
        await waitFor(rereading)
        return (await current())(header, token)
      }
    },
  }
}

/**
 * Reads a key set once, within {@link READ_MS_MAX}.
 *
 * @returns the keys that signatures are checked with, as canonical text
 * @throws Error that quotes nothing of what was read
 */
export async function readKeySet(
  read: () => Promise<string>,
  clock: Pick<Clock, 'schedule'>,
): Promise<string> {
  return normalized(await within(READ_MS_MAX, read(), clock))
}

function unavailable(): BrokerError {
  return new BrokerError(
    'BROKER_UNAVAILABLE',
    'the keys of the issuer of this JWT cannot be read; try again',
    {
      retryAfterMs: FIRST_RETRY_MS,
    },
  )
}

function crowded(): BrokerError {
  return new BrokerError('BROKER_UNAVAILABLE', 'too many JWTs wait for the keys of their issuer; try again', {
    retryAfterMs: CROWDED_RETRY_MS,
  })
}

const PUBLIC_KINDS = ['RSA', 'EC', 'OKP']

/**
 * Checks a set and keeps what signatures are checked with, as canonical text. Keys of a SPIFFE bundle say what
 * they are for in words of their own.
 *
 * @throws Error that quotes nothing
 */
function normalized(text: string): string {
  const set = parse(text)
  const all: unknown = isMap(set) ? set.keys : undefined
  if (!Array.isArray(all) || all.length > KEYS_MAX)
    throw new Error('this is no JSON Web Key Set, or a huge one')
  const keys = all
    .filter(isMap)
    .filter(({ kty, use }) => PUBLIC_KINDS.includes(String(kty)) && isForSignatures(use))
    .map(key => ({ ...key, use: 'sig' }))
  if (keys.length === 0) throw new Error('the set has no public key for signatures')
  return JSON.stringify({ keys })
}

/** @see https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Trust_Domain_and_Bundle.md */
function isForSignatures(use: unknown): boolean {
  return use === undefined || use === 'sig' || use === 'jwt-svid'
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('this is no JSON')
  }
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Gives up waiting, not reading: what comes later is lost. */
async function within<T>(ms: number, promise: Promise<T>, clock: Pick<Clock, 'schedule'>): Promise<T> {
  const tooLong = Promise.withResolvers<never>()
  const cancel = clock.schedule(ms, () => tooLong.reject(new Error(`no answer within ${ms / 1_000} s`)))
  try {
    return await Promise.race([promise, tooLong.promise])
  } finally {
    cancel()
  }
}

/** Where keys are read, for people: without what a URL may carry beside its place. */
export function nameOfSource(source: JwksSource): string {
  return source.kind === 'file' ? source.path : source.url.replace(/[?#].*$/, '')
}
