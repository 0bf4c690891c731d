import { expect } from 'vitest'
import { type Attack, expectPage, NOTHING } from './attack.ts'
import { forUser } from './attack-world.ts'

/** Changes the way back of an honest consent. */
function tampered(
  name: string,
  change: (query: URLSearchParams) => void,
  expected: { status: number; words: string; reason: string },
): Attack {
  return [
    name,
    async ({ link, visitor }) => {
      const { leave, approve, go } = visitor()
      const way = await approve(await leave((await link('honest')).url))
      change(way.searchParams)
      expectPage(await go(way), expected.status, expected.words)
      return { audit: [expected.reason], log: new RegExp(`"${expected.reason}"`) }
    },
  ]
}

const twice = (name: string) => (query: URLSearchParams) => query.append(name, query.get(name) ?? '')
const unknown = (reason: string) => ({ status: 400, words: NOTHING, reason })
const unreadable = { status: 400, words: 'cannot be read', reason: 'BAD_CALLBACK' }
const wrongPlace = { status: 400, words: 'wrong place', reason: 'ISSUER_MISMATCH' }

/** T12: the way back was changed, invented or used before. */
export const CALLBACKS: readonly Attack[] = [
  tampered('no state', query => query.delete('state'), unknown('NO_STATE')),
  tampered('a forged state', query => query.set('state', 'x'.repeat(43)), unknown('UNKNOWN_STATE')),
  tampered('two states', twice('state'), unknown('NO_STATE')),
  tampered('two codes', twice('code'), unreadable),
  tampered('another code beside the first', query => query.append('code', 'injected'), unreadable),
  tampered('no code', query => query.delete('code'), unreadable),
  tampered('an empty code', query => query.set('code', ''), unreadable),
  tampered('a wrong iss', query => query.set('iss', 'https://evil.example'), wrongPlace),
  tampered('no iss', query => query.delete('iss'), wrongPlace),
  tampered('two iss', twice('iss'), unreadable),
  tampered('a signed response (JARM)', query => query.set('response', 'e30.e30.'), unreadable),
  tampered('an ID token (implicit flow)', query => query.set('id_token', 'e30.e30.'), unreadable),
  tampered('an error beside the code', query => query.set('error', 'server_error'), {
    status: 502,
    words: 'reported an error',
    reason: 'PROVIDER_ERROR',
  }),
  [
    'an expired state',
    async ({ link, visitor, later }) => {
      const { leave, approve, go } = visitor()
      const way = await approve(await leave((await link('honest')).url))
      later(600_000)
      expectPage(await go(way), 410, 'This took too long')
      return { audit: ['EXPIRED'], log: /"EXPIRED"/ }
    },
  ],
  [
    'a replayed state',
    async ({ link, visitor }) => {
      const { leave, approve, go } = visitor()
      const way = await approve(await leave((await link('honest')).url))
      const denied = new URL(way)
      denied.searchParams.delete('code')
      denied.searchParams.set('error', 'access_denied')
      expectPage(await go(denied), 200, 'Access was not given')
      expectPage(await go(way), 400, NOTHING)
      return { audit: ['DENIED', 'UNKNOWN_STATE'] }
    },
  ],
  [
    'a replay of a callback that was good: the code is exchanged once',
    async ({ link, visitor }) => {
      const { leave, approve, go } = visitor()
      const way = await approve(await leave((await link('honest')).url))
      expectPage(await go(way), 200, 'Connected')
      expectPage(await go(way), 400, NOTHING)
      return { audit: ['UNKNOWN_STATE'], exchanges: 1 }
    },
  ],
  [
    'two callbacks of one consent at the same instant: the code is exchanged once',
    async ({ link, visitor }) => {
      const { leave, approve, go } = visitor()
      const way = await approve(await leave((await link('honest')).url))
      const seen = await Promise.all([go(way), go(way)])
      expect(seen.map(({ status }) => status).sort()).toEqual([200, 400])
      return { audit: ['UNKNOWN_STATE'], exchanges: 1 }
    },
  ],
  [
    "a code injection: a stolen code in the attacker's own consent; PKCE makes it worthless",
    async ({ honest, link, visitor }) => {
      const victim = visitor()
      const attacker = visitor()
      const stolen = await victim.approve(await victim.leave((await link('honest')).url))
      const own = await attacker.approve(await attacker.leave((await link('honest')).url))
      own.searchParams.set('code', stolen.searchParams.get('code') ?? '')
      expectPage(await attacker.go(own), 502, 'gave no token')
      expect(honest.sandbox.control.listTokens()).toEqual([])
      return { audit: ['EXCHANGE_FAILED'], exchanges: 1 }
    },
  ],
  [
    'a callback by HEAD and by POST, which uses nothing up',
    async ({ link, visitor }) => {
      const { leave, approve, go } = visitor()
      const way = await approve(await leave((await link('honest', forUser('u'))).url))
      for (const method of ['HEAD', 'POST'] as const) expect((await go(way, { method })).status).toBe(405)
      expect((await go(way)).status).toBe(303)
      return { log: /"status":405/ }
    },
  ],
]
