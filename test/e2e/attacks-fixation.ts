import { expect } from 'vitest'
import { type Attack, expectPage, FOREIGN_BROWSER, NOTHING } from './attack.ts'
import { forUser } from './attack-world.ts'

/** T9: somebody else's browser, or somebody else at the asking service. */
export const FIXATION: readonly Attack[] = [
  [
    'a cross-user link: the victim walks the whole link of the attacker, and the service names the victim',
    async ({ link, visitor, complete, stateOf }) => {
      const { url, consentId } = await link('honest', forUser('attacker'))
      const victim = visitor()
      const back = await victim.go(await victim.approve(await victim.leave(url)))
      expect(back.status).toBe(303)
      expect(await stateOf(consentId)).toBe('HELD')
      expect(await complete(back.location, 'victim')).toBe('FAILED NOT_CONFIRMED')
      return { audit: ['NOT_CONFIRMED'], log: /"NOT_CONFIRMED"/ }
    },
  ],
  [
    'a cross-user link that nobody confirms within its minute',
    async ({ link, visitor, complete, stateOf, later }) => {
      const { url, consentId } = await link('honest', forUser('attacker'))
      const victim = visitor()
      const { location } = await victim.go(await victim.approve(await victim.leave(url)))
      later(60_000)
      expect(await stateOf(consentId)).toBe('EXPIRED')
      expect(await complete(location, 'attacker')).toBe('EXPIRED')
      return { audit: ['EXPIRED'], log: /"EXPIRED"/ }
    },
  ],
  [
    'a cross-user way to the provider: the attacker starts, the victim approves',
    async ({ link, visitor }) => {
      const attacker = visitor()
      const victim = visitor()
      const way = await attacker.leave((await link('honest', forUser('attacker'))).url)
      expectPage(await victim.go(await victim.approve(way)), 403, FOREIGN_BROWSER)
      return { audit: ['BAD_CALLBACK'], log: /"BAD_CALLBACK"/ }
    },
  ],
  [
    'a login CSRF: the attacker approves with an own account, the victim is made to open the way back',
    async ({ link, visitor }) => {
      const attacker = visitor()
      const victim = visitor()
      await victim.leave((await link('honest')).url)
      const way = await attacker.approve(await attacker.leave((await link('honest')).url))
      expectPage(await victim.go(way), 403, FOREIGN_BROWSER)
      return { audit: ['BAD_CALLBACK'] }
    },
  ],
  [
    'a missing cookie',
    async ({ link, visitor }) => {
      const { leave, approve, go } = visitor()
      const way = await approve(await leave((await link('honest')).url))
      expectPage(await go(way, { withCookies: false }), 403, FOREIGN_BROWSER)
      expectPage(await go(way), 400, NOTHING)
      return { audit: ['BAD_CALLBACK', 'UNKNOWN_STATE'] }
    },
  ],
  [
    'a forged cookie',
    async ({ link, visitor }) => {
      const { leave, approve, go } = visitor()
      const way = await approve(await leave((await link('honest')).url))
      const headers = { cookie: `token-broker=${'x'.repeat(43)}` }
      expectPage(await go(way, { withCookies: false, headers }), 403, FOREIGN_BROWSER)
      return { audit: ['BAD_CALLBACK'] }
    },
  ],
  [
    'a stolen receipt, brought to the service by another user',
    async ({ link, visitor, complete }) => {
      const { url } = await link('honest', forUser('victim'))
      const victim = visitor()
      const { location } = await victim.go(await victim.approve(await victim.leave(url)))
      expect(await complete(location, 'attacker')).toBe('FAILED NOT_CONFIRMED')
      // Nor does the right user get through any more.
      expect(await complete(location, 'victim')).toBe('FAILED NOT_CONFIRMED')
      return { audit: ['NOT_CONFIRMED'] }
    },
  ],
  [
    'a stolen receipt, completed by another service',
    async ({ link, visitor, complete }) => {
      const { url } = await link('honest', forUser('victim'))
      const victim = visitor()
      const { location } = await victim.go(await victim.approve(await victim.leave(url)))
      expect(await complete(location, 'victim', { caller: 'other' })).toBe('FAILED NOT_CONFIRMED')
      return { audit: ['NOT_CONFIRMED'] }
    },
  ],
  [
    'a forged receipt',
    async ({ link, visitor, complete }) => {
      const { url } = await link('honest', forUser('attacker'))
      const victim = visitor()
      const { location } = await victim.go(await victim.approve(await victim.leave(url)))
      expect(await complete(location, 'attacker', { receipt: 'x'.repeat(43) })).toBe('FAILED NOT_CONFIRMED')
      return { audit: ['NOT_CONFIRMED'] }
    },
  ],
  [
    'a receipt of another consent',
    async ({ link, visitor, complete }) => {
      const attacker = visitor()
      const ways = []
      for (const user of ['attacker', 'victim']) {
        const { url } = await link('honest', { ...forUser(user), account: user })
        ways.push((await attacker.go(await attacker.approve(await attacker.leave(url)))).location)
      }
      const receipt = ways[1]?.searchParams.get('receipt') ?? ''
      expect(await complete(ways[0], 'attacker', { receipt })).toBe('FAILED NOT_CONFIRMED')
      return { audit: ['NOT_CONFIRMED'] }
    },
  ],
]
