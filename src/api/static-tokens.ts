import { timingSafeEqual } from 'node:crypto'
import { hashCallerToken, parseCallerToken } from '../config/caller-token.ts'
import type { StaticToken } from '../config/config.ts'
import type { Caller } from './callers.ts'
import { unauthenticated } from './unauthenticated.ts'

/** Knows callers by their static tokens. */
export interface StaticTokens {
  /**
   * @param now milliseconds since the epoch
   * @throws BrokerError `CALLER_UNAUTHENTICATED`
   */
  holderOf(token: string, now: number): Caller
}

interface KnownToken {
  readonly hash: Buffer
  readonly caller: Caller
  readonly expiresAtMs: number
}

/** Creates the index of all tokens. */
export function createStaticTokens(
  holders: readonly { readonly tokens: readonly StaticToken[]; readonly caller: Caller }[],
): StaticTokens {
  const known = holders.flatMap(({ tokens, caller }) =>
    tokens.map(({ sha256, expiresAtMs }): KnownToken => {
      return {
        hash: Buffer.from(sha256, 'hex'),
        caller,
        expiresAtMs: expiresAtMs ?? Number.POSITIVE_INFINITY,
      }
    }),
  )
  // The index tells who measures a few bits of a hash at most; the rest is compared in constant time.
  const index = Map.groupBy(known, ({ hash }) => hash.readUInt32BE())

  return {
    holderOf(token, now) {
      const hash = Buffer.from(hashCallerToken(token), 'hex')
      const candidates = index.get(hash.readUInt32BE()) ?? []
      const found = candidates.find(candidate => timingSafeEqual(candidate.hash, hash))
      if (found === undefined) throw unauthenticated(whyUnknown(token))
      if (now >= found.expiresAtMs) throw unauthenticated(whyExpired(found))
      return found.caller
    },
  }
}

function whyUnknown(token: string): string {
  const parsed = parseCallerToken(token)
  if (parsed.ok) return 'no caller with this token is configured'
  return parsed.reason === 'checksum' ? 'the token is mistyped or damaged' : 'this is no token of a caller'
}

/** Only who has the token learns whose it was. */
function whyExpired({ caller, expiresAtMs }: KnownToken): string {
  return `the token of the caller ${caller.name} expired at ${new Date(expiresAtMs).toISOString()}`
}
