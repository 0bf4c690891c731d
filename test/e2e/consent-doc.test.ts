import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  CompleteConsentRequest,
  ConsentState,
  CreateConsentLinkRequest,
} from '../../src/gen/tokenbroker/v1/admin.ts'
import { createHome, startSandbox } from './broker-process.ts'
import { createVisitor } from './visitor.ts'

const PORTAL = 'https://portal.example.com/connected'
const doc = readFileSync(new URL('../../docs/consent.md', import.meta.url), 'utf8')
const example = /```js\n([\s\S]*?)```/.exec(doc)?.[1] ?? ''

type Request = { session: { userId: string }; query: Record<string, string> }
type Handler = (request: Request, response: { redirect(status: number, to: string): void }) => Promise<void>

/** The example of the document over a real broker; answers where each of its pages redirects. */
async function startExample() {
  const { sandbox, origin } = await startSandbox()
  sandbox.control.changeBehavior('oauth2', { consent: 'allow' })
  const home = await createHome()
  await home.writeFile('client-secret', 'sandbox-secret')
  await home.configure(
    `pinterest:
  definition: {issuer: "${origin}/oauth2"}
  client_id: sandbox-client
  client_secret: {file: client-secret}`,
    /```yaml\n(return_urls:.*\n)```/.exec(doc)?.[1],
  )
  const { admin, call } = await home.start()
  const broker = {
    createConsentLink: (wishes: object) =>
      call(admin, admin.createConsentLink, CreateConsentLinkRequest.fromPartial(wishes)),
    completeConsent: (answer: object) =>
      call(admin, admin.completeConsent, CompleteConsentRequest.fromPartial(answer)),
  }
  const pages = new Map<string, Handler>()
  const add = (path: string, handler: Handler) => void pages.set(path, handler)
  new Function('app', 'broker', 'COMPLETED', example)({ post: add, get: add }, broker, ConsentState.COMPLETED)

  async function open(path: string, userId: string, query: Record<string, string> = {}): Promise<string> {
    let target = ''
    const redirect = (_status: number, to: string) => {
      target = to
    }
    await pages.get(path)?.({ session: { userId }, query }, { redirect })
    return target
  }
  return { sandbox, open, visitor: createVisitor(home.publicUrl, [PORTAL]) }
}

describe('the example of docs/consent.md, walked by a browser', () => {
  it.each([
    ['connects the user who asked', 'user-7', 'allow', '/done', 1],
    ['connects nothing for another user who is logged in', 'user-8', 'allow', '/not-connected', 0],
    ['says so when the user declines', 'user-7', 'deny', '/not-connected', 0],
  ] as const)('%s', async (_, userId, consent, end, exchanges) => {
    const { sandbox, open, visitor } = await startExample()
    sandbox.control.changeBehavior('oauth2', { consent })
    const link = await open('/connect', 'user-7')
    const { location } = await visitor.go(await visitor.approve(await visitor.leave(link)))
    expect(await open('/connected', userId, Object.fromEntries(location?.searchParams ?? []))).toBe(end)
    expect(sandbox.control.countRequests({ operation: 'exchange' })).toBe(exchanges)
  })
})
