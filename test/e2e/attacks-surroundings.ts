import { execFileSync } from 'node:child_process'
import { expect } from 'vitest'
import { failureOf } from '../api/running-server.ts'
import { ask } from '../http/running-server.ts'
import { type Attack, expectPage } from './attack.ts'
import { forUser, PORTAL } from './attack-world.ts'

/** T13 and T14: what sees, keeps, frames or rewrites a page or an address. */
export const SURROUNDINGS: readonly Attack[] = [
  [
    'link scanners: ten times HEAD and GET leave the link usable',
    async ({ link, visitor }) => {
      const { url } = await link('honest', forUser('u'))
      for (let scans = 0; scans < 10; scans++) {
        for (const method of ['HEAD', 'GET'] as const)
          expect((await visitor().go(url, { method })).status).toBe(200)
      }
      const { leave, approve, go } = visitor()
      expect((await go(await approve(await leave(url)))).status).toBe(303)
      return { log: /"method":"HEAD"/ }
    },
  ],
  [
    'a form of another site leaves the link usable',
    async ({ link, visitor }) => {
      const { url } = await link('honest')
      const { go, leave } = visitor()
      const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
      expectPage(await go(url, { method: 'POST', headers }), 403, 'did not come from our page')
      await leave(url)
      return { log: /"status":403/ }
    },
  ],
  [
    'a link that somebody has started is of no use to another',
    async ({ link, visitor }) => {
      const { url } = await link('honest')
      await visitor().leave(url)
      const attacker = visitor()
      expectPage(await attacker.go(url), 410, 'already used')
      expectPage(await attacker.go(url, { method: 'POST' }), 410, 'already used')
      return { log: /"status":410/ }
    },
  ],
  [
    'an open redirect: no parameter of any page has a say in where the browser goes',
    async ({ link, visitor }) => {
      const { url } = await link('honest', forUser('u'))
      const { leave, approve, go } = visitor()
      const evil = 'return_url=https%3A%2F%2Fevil.example&return_id=https%3A%2F%2Fevil.example'
      const toProvider = await leave(`${url}?${evil}`)
      expect(toProvider.href).not.toContain('evil.example')
      const way = await approve(toProvider)
      const { location } = await go(`${way}&${evil}`)
      expect(`${location?.origin}${location?.pathname}`).toBe(PORTAL)
      return { log: /"status":303/ }
    },
  ],
  [
    'an open redirect by the link itself: a return_id is a configured one',
    async ({ link }) => {
      for (const returnId of ['https://evil.example', 'elsewhere']) {
        const refusal = await failureOf(link('honest', { subject: 'u', returnId }))
        expect(Object.keys(refusal.violations)).toEqual(['return_id'])
      }
      return { log: /INVALID_REQUEST|INVALID_ARGUMENT/ }
    },
  ],
  [
    'a forged Host, which stands in no address',
    async ({ home, link }) => {
      const { url } = await link('honest')
      const { port, pathname, host } = new URL(url)
      const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example' }
      const answer = await ask(Number(port), pathname, { headers })
      expect(answer.status).toBe(200)
      const left = await ask(Number(port), pathname, { method: 'POST', headers })
      expect(left.text).toContain(encodeURIComponent(`${home.publicUrl}/oauth/callback/honest`))
      expect(`${answer.text}${left.text}${JSON.stringify(left.headers)}`).not.toContain('evil.example')
      expect(host).not.toBe('evil.example')
      return { log: /"status":200/ }
    },
  ],
  [
    'frames and referrers: every page on the way forbids both, and no secret is logged',
    async ({ home, link, visitor }) => {
      const { url } = await link('honest', forUser('u'))
      const { leave, approve, go, seen } = visitor()
      const { location } = await go(await approve(await leave(url)))
      await go(new URL('/nowhere', url))
      // The visitor has checked the headers and the content of each.
      const own = seen.filter(one => one.url.origin === new URL(url).origin)
      expect(own.map(({ status }) => status)).toEqual([200, 200, 303, 404])
      const secrets = [
        url.split('/connect/')[1],
        ...own.flatMap(one => ['code', 'state'].map(name => one.url.searchParams.get(name))),
        location?.searchParams.get('receipt'),
      ].filter(secret => secret != null)
      expect(secrets).toHaveLength(4)
      const logged = home.logLines.join('\n')
      for (const secret of secrets) expect(logged).not.toContain(secret)
      for (const { text } of own.slice(2)) for (const secret of secrets) expect(text).not.toContain(secret)
      return { log: /"status":404/ }
    },
  ],
  [
    'a thief of the data directory finds neither code nor receipt while a code is held',
    async ({ home, link, visitor }) => {
      const { leave, approve, go } = visitor()
      const way = await approve(await leave((await link('honest', forUser('u'))).url))
      const { location } = await go(way)
      // By another program: to open a database's file in this process would drop its locks.
      const stolen = execFileSync('tar', ['-cf', '-', '-C', home.dataDir, '.'], { maxBuffer: 64 * 1024 ** 2 })
      expect(stolen.includes('consents')).toBe(true)
      for (const secret of [way.searchParams.get('code'), location?.searchParams.get('receipt')]) {
        expect(secret).toMatch(/^.{16,}$/)
        expect(stolen.includes(secret ?? '')).toBe(false)
      }
      return { log: /"status":303/ }
    },
  ],
]
