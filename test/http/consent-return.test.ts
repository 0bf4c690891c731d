import { afterEach, describe, expect, it } from 'vitest'
import type { ConsentCallback } from '../../src/broker/consent/flow.ts'
import { confirmPage } from '../../src/http/pages/confirm-page.ts'
import { Secret } from '../../src/secret.ts'
import { createFakeConsentFlow, LINK, REDIRECT_PATH, readyView } from './fake-consent-flow.ts'
import { ask, startConsentServer, stopServers } from './running-server.ts'

afterEach(stopServers)

const RECEIPT = 'canary-receipt'
const PORTAL = `https://portal.example/connected?consent_id=k1&receipt=${RECEIPT}`

function sentBack() {
  const flow = createFakeConsentFlow()
  const url = new Secret(PORTAL)
  flow.answers.finish = async () => ({ kind: 'returned', url, host: 'portal.example' })
  return flow
}

describe('a consent of two steps', () => {
  it('goes on by 303 to the address that the flow names, which stands in no page and no log', async () => {
    const { port, log } = await startConsentServer({ flow: sentBack() })
    const { status, headers, text } = await ask(port, `${REDIRECT_PATH}?code=c&state=s`)
    expect(status).toBe(303)
    expect(headers).toMatchObject({
      location: PORTAL,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
    })
    expect(text).toContain('Taking you back to portal.example')
    expect(text).not.toContain(RECEIPT)
    expect(JSON.stringify(log.lines)).not.toContain(RECEIPT)
  })

  it.each(['return_url', 'redirect_uri', 'url', 'next', 'return_id'])(
    'takes no address from a parameter "%s"',
    async name => {
      const { port } = await startConsentServer({ flow: sentBack() })
      const evil = encodeURIComponent('https://evil.example')
      const back = await ask(port, `${REDIRECT_PATH}?code=c&state=s&${name}=${evil}`)
      expect(back.headers.location).toBe(PORTAL)
      for (const method of ['GET', 'POST']) {
        const { headers, text } = await ask(port, `/connect/${LINK}?${name}=${evil}`, { method })
        expect(headers).not.toHaveProperty('location')
        expect(text).not.toContain('evil.example')
      }
    },
  )

  it('says on the first page where it ends', () => {
    const { text } = confirmPage(readyView({ returnHost: 'portal.example' }))
    expect(text).toContain('You are brought back to portal.example')
    expect(confirmPage(readyView()).text).not.toContain('brought back to')
  })
})

describe('the address of the browser', () => {
  it.each([
    ['the one that a trusted proxy names', ['127.0.0.0/8'], '192.0.2.7'],
    ['its own where nobody is trusted', [], '127.0.0.1'],
  ])('that the flow is told is %s', async (_, trustedProxies, expected) => {
    const flow = createFakeConsentFlow()
    const peers: ConsentCallback['peer'][] = []
    const finish = flow.finish
    flow.finish = callback => {
      peers.push(callback.peer)
      return finish(callback)
    }
    const { port } = await startConsentServer({ flow, trustedProxies })
    await ask(port, `${REDIRECT_PATH}?code=c`, { headers: { 'x-forwarded-for': '192.0.2.7' } })
    expect(peers).toEqual([expected])
  })
})
