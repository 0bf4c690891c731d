import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ConsentResult } from '../../src/broker/consent/flow.ts'
import { Secret } from '../../src/secret.ts'
import { skippedWithout } from '../skipped.ts'
import {
  BROKER,
  CALLBACK,
  LOGIN,
  missing,
  PROVIDER,
  type Stage,
  setStage,
  TLS_BROKER,
  tls,
} from './browser-stage.ts'
import { connectedStatus, LINK, readyView } from './fake-consent-flow.ts'

/** Where to leave pictures for people to look at; none are taken if it is not set. */
const screenshots = process.env.TOKEN_BROKER_SCREENSHOTS

const DESKTOP: BrowserContextOptions = { viewport: { width: 1280, height: 860 } }
const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
}
const LOOKS: readonly [name: string, options: BrowserContextOptions][] = [
  ['desktop-light', { ...DESKTOP, colorScheme: 'light' }],
  ['desktop-dark', { ...DESKTOP, colorScheme: 'dark' }],
  ['phone-light', { ...PHONE, colorScheme: 'light' }],
  ['phone-dark', { ...PHONE, colorScheme: 'dark' }],
]
const LINK_PAGE = `${BROKER}/connect/${LINK}`
const can = missing === ''

let stage: Stage
beforeAll(async () => {
  if (screenshots !== undefined) mkdirSync(screenshots, { recursive: true })
  if (can) stage = await setStage()
})
afterAll(() => stage?.close())
beforeEach(() => {
  if (!can) return
  stage.flow.answers = {}
  for (const calls of [stage.flow.views, stage.flow.starts, stage.flow.finishes, stage.provider.requests])
    calls.length = 0
  stage.provider.callback = `${BROKER}${CALLBACK}`
})

/** Takes a picture, and checks that nothing sticks out at the side. */
async function look(page: Page, name: string): Promise<void> {
  const { scrollWidth, clientWidth } = await page.locator('html').evaluate(root => root)
  expect(scrollWidth).toBe(clientWidth)
  if (screenshots !== undefined)
    await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true })
}

async function leave(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Continue to' }).click()
  await page.waitForURL(`${LOGIN}/login`)
}

async function allow(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.getByRole('heading', { level: 1 }).waitFor()
}

describe(`consent in a browser${missing}`, () => {
  it.skipIf(!can).each(LOOKS)('goes from the link to the provider and back: %s', async (name, options) => {
    const { page, complaints } = await stage.visit(options)
    await page.goto(LINK_PAGE)
    await look(page, `confirm-${name}`)
    await leave(page)
    expect(stage.provider.requests).toEqual([
      { target: '/authorize?state=s&scope=a+b' },
      { target: '/login' },
    ])
    await allow(page)
    expect(await page.title()).toBe('Connected · Token broker')
    await look(page, `connected-${name}`)
    expect(stage.flow.finishes[0]?.cookie).toBe(stage.flow.starts[0]?.cookie)
    expect(complaints).toEqual([])
  })

  it.skipIf(!can)(
    'sends its form with our own origin, whatever the browser tells of fetch metadata',
    async () => {
      const { page } = await stage.visit()
      const sent = page.waitForRequest(request => request.method() === 'POST')
      await page.goto(LINK_PAGE)
      await leave(page)
      expect(await (await sent).allHeaders()).toMatchObject({
        origin: BROKER,
        'sec-fetch-site': 'same-origin',
      })
    },
  )

  it.skipIf(!can)('does not let another site send the form', async () => {
    const { page } = await stage.visit()
    await page.goto(`${PROVIDER}/`)
    await page.setContent(`<form action="${LINK_PAGE}" method="post"><button>Win a prize</button></form>`)
    await page.getByRole('button').click()
    await page.getByRole('heading', { name: 'This did not come from our page' }).waitFor()
    expect(stage.flow.starts).toEqual([])
  })

  it.skipIf(!can)('comes back to a page that says so when the visitor goes back after leaving', async () => {
    const { page } = await stage.visit()
    await page.goto(LINK_PAGE)
    await leave(page)
    await page.goBack()
    await page.getByRole('heading', { name: 'This link was already used' }).waitFor()
    expect(stage.flow.starts).toHaveLength(1)
  })

  it.skipIf(!can)('carries two consents in one browser at once', async () => {
    const { context, page } = await stage.visit()
    const other = await context.newPage()
    stage.flow.answers.view = readyView
    for (const tab of [page, other]) {
      await tab.goto(LINK_PAGE)
      await leave(tab)
    }
    expect(stage.flow.starts[1]?.cookie).toBe(stage.flow.starts[0]?.cookie)
    for (const tab of [page, other]) {
      await allow(tab)
      expect(await tab.title()).toContain('Connected')
    }
  })

  it.skipIf(!can)('tells another browser to finish where it started', async () => {
    const { page } = await stage.visit()
    await page.goto(LINK_PAGE)
    await leave(page)
    const stranger = await stage.visit()
    await stranger.page.goto(`${BROKER}${CALLBACK}`)
    expect(await stranger.page.title()).toContain('Finish where you started')
  })

  it.skipIf(!can || tls === undefined)(
    `binds by a __Host- cookie on https${skippedWithout('openssl', tls !== undefined)}`,
    async () => {
      const { context, page, complaints } = await stage.visit()
      stage.provider.callback = `${TLS_BROKER}${CALLBACK}`
      await page.goto(`${TLS_BROKER}/connect/${LINK}`)
      await leave(page)
      const [cookie] = await context.cookies(TLS_BROKER)
      expect(cookie).toMatchObject({
        name: '__Host-token-broker',
        secure: true,
        httpOnly: true,
        sameSite: 'Lax',
      })
      await allow(page)
      expect(await page.title()).toContain('Connected')
      expect(complaints).toEqual([])
    },
  )
})

const error = {
  message: 'the provider answered invalid_grant (HTTP 400)',
  providerCode: 'invalid_grant',
} as const
const names = { provider: 'square-eu', account: 'merchant-4711' }
const LONG =
  'https://www.googleapis.example/auth/a-scope-that-is-far-longer-than-any-screen-of-a-phone-is-wide'
const RESULTS: readonly [name: string, result: ConsentResult][] = [
  [
    'denied',
    { kind: 'failed', ...names, error: { ...error, reason: 'DENIED', providerCode: 'access_denied' } },
  ],
  ['exchange-failed', { kind: 'failed', ...names, error: { ...error, reason: 'EXCHANGE_FAILED' } }],
  [
    'account-changed',
    { kind: 'failed', ...names, error: { ...error, reason: 'ACCOUNT_CHANGED', providerCode: '' } },
  ],
  ['not-confirmed', { kind: 'failed', ...names, error: { ...error, reason: 'NOT_CONFIRMED' } }],
  ['unknown', { kind: 'unknown' }],
  ['foreign-browser', { kind: 'foreign_browser' }],
  [
    'connected-all',
    {
      kind: 'connected',
      status: connectedStatus({ ...names, missingScopes: [], grantExpiresAt: Date.UTC(2027, 4, 1) }),
    },
  ],
]

describe(`pages in a browser${missing}`, () => {
  it.skipIf(!can).each(LOOKS)('fit and break no rule of ours: %s', async (style, options) => {
    const { page, complaints } = await stage.visit(options)
    for (const [name, result] of RESULTS) {
      stage.flow.answers.finish = async () => result
      await page.goto(`${BROKER}${CALLBACK}`)
      for (const summary of await page.locator('summary').all()) await summary.click()
      await look(page, `${name}-${style}`)
    }
    stage.flow.answers.view = () =>
      readyView({
        provider: 'square-eu',
        definition: 'square',
        account: `${'merchant'.repeat(20)}<script>alert(1)</script>`,
        scopes: [LONG, 'ITEMS_READ'],
        replaces: { providerAccountId: 'MLF3WZB0FRC5C', providerAccountName: 'Acme Garden Tools' },
        returnHost: 'customers.portal.acme-garden-tools.example:8443',
      })
    await page.goto(LINK_PAGE)
    await page.keyboard.press('Tab')
    await look(page, `confirm-long-${style}`)
    const host = 'provider.localhost'
    stage.flow.answers.start = () => ({
      kind: 'leave',
      provider: 'p',
      authorizationUrl: new Secret(`${PROVIDER}/silent`),
      host,
    })
    await page.getByRole('button').click()
    await page.getByRole('heading', { name: `Taking you to ${host}` }).waitFor()
    await look(page, `departure-${style}`)
    await page.goto(`${BROKER}/nothing-here`)
    await look(page, `not-found-${style}`)
    expect(complaints).toEqual([])
  })
})
