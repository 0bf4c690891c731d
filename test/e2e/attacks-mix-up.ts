import { expect } from 'vitest'
import { type Attack, expectPage } from './attack.ts'
import type { AttackWorld } from './attack-world.ts'
import type { Seen } from './visitor.ts'

/** The way back of a consent at one provider, made into one at another. */
async function mixedUp(
  { honest, evil, link, visitor }: AttackWorld,
  change: (way: URL) => void = () => {},
): Promise<{ seen: Seen; codeOf: string }> {
  const victim = visitor()
  const toEvil = await victim.leave((await link('evil')).url)
  // The malicious server sends the browser on to the honest one, as if it were the one that was asked.
  const toHonest = new URL(toEvil.href.replace(evil.origin, honest.origin))
  const way = await victim.approve(toHonest)
  change(way)
  return { seen: await victim.go(way), codeOf: way.searchParams.get('code') ?? '' }
}

/** T10: a malicious authorization server beside an honest one. */
export const MIX_UP: readonly Attack[] = [
  [
    "a mix-up: an honest server's code comes with the state of the malicious one, to the honest one's address",
    async world => {
      const { seen, codeOf } = await mixedUp(world, way => {
        way.pathname = '/oauth/callback/honest'
      })
      expect(codeOf).not.toBe('')
      expectPage(seen, 400, 'cannot be read')
      return { audit: ['BAD_CALLBACK'] }
    },
  ],
  [
    "a COAT: an honest server's code lands at the malicious one's address, whose token endpoint would get it",
    async world => {
      const { seen } = await mixedUp(world)
      expectPage(seen, 400, 'wrong place')
      return { audit: ['ISSUER_MISMATCH'], log: /"ISSUER_MISMATCH"/ }
    },
  ],
  [
    'a COAT whose iss was taken off',
    async world => {
      const { seen } = await mixedUp(world, way => way.searchParams.delete('iss'))
      expectPage(seen, 400, 'wrong place')
      return { audit: ['ISSUER_MISMATCH'] }
    },
  ],
  [
    "a CORF: the attacker's code and state of one provider in the victim's consent at another",
    async ({ link, visitor }) => {
      const attacker = visitor()
      const victim = visitor()
      await victim.leave((await link('honest')).url)
      const way = await attacker.approve(await attacker.leave((await link('evil')).url))
      way.pathname = '/oauth/callback/honest'
      expectPage(await victim.go(way), 400, 'cannot be read')
      return { audit: ['BAD_CALLBACK'] }
    },
  ],
  [
    'a foreign state: that of another provider at the same server',
    async ({ link, visitor }) => {
      const { leave, approve, go } = visitor()
      const way = await approve(await leave((await link('plain')).url))
      way.pathname = '/oauth/callback/honest'
      expectPage(await go(way), 400, 'cannot be read')
      return { audit: ['BAD_CALLBACK'] }
    },
  ],
]
