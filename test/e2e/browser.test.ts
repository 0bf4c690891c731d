import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConsentState } from '../../src/gen/tokenbroker/v1/admin.ts'
import { launch, missing, visit } from '../http/browser-stage.ts'
import { createHome, type RunningBroker, startSandbox } from './broker-process.ts'
import { startPortal } from './portal.ts'

/** Where to leave pictures for people to look at; none are taken if it is not set. */
const screenshots = process.env.TOKEN_BROKER_SCREENSHOTS
const can = missing === ''

let browser: Browser
beforeAll(async () => {
  if (screenshots !== undefined) mkdirSync(screenshots, { recursive: true })
  if (can) browser = await launch({})
})
afterAll(() => browser?.close())

async function look(page: Page, name: string): Promise<void> {
  if (screenshots !== undefined)
    await page.screenshot({ path: join(screenshots, `e2e-${name}.png`), fullPage: true })
}

/** To a browser, `localhost` and `127.0.0.1` are different sites, as a broker and its provider are. */
async function startWorld(detour: boolean, more = ''): Promise<{ broker: RunningBroker; provider: string }> {
  const { origin } = await startSandbox({ detour })
  const home = await createHome({ publicHost: 'localhost' })
  await home.writeFile('client-secret', 'sandbox-secret')
  const providers = `acme:
  definition: {issuer: "${origin}/oauth2"}
  client_id: sandbox-client
  client_secret: {file: client-secret}
  scopes: [read, write]`
  await home.configure(providers, more)
  return { broker: await home.start(), provider: origin }
}

describe(`consent in a browser, from the link to the result${missing}`, () => {
  it.skipIf(!can).each([
    { way: 'directly', detour: false },
    { way: 'over a second origin of the provider', detour: true },
  ])('goes $way', async ({ detour }) => {
    const { broker, provider } = await startWorld(detour)
    const { url, consentId } = await broker.createLink('acme')
    const { context, page, complaints } = await visit(browser)
    await page.goto(url)
    await page.getByRole('button', { name: 'Continue to' }).click()

    await page.getByRole('heading', { name: 'Allow sandbox-client' }).waitFor()
    const shown = new URL(page.url())
    expect(shown.hostname).toBe(detour ? 'localhost' : '127.0.0.1')
    expect(shown.port).toBe(new URL(provider).port)
    await look(page, `provider-detour-${detour}`)
    await page.getByRole('radio', { name: 'Ben Example' }).check()
    await page.getByRole('checkbox', { name: 'write' }).uncheck()
    await page.getByRole('button', { name: 'Allow' }).click()

    await page.getByRole('heading', { name: 'Connected', level: 1 }).waitFor()
    await look(page, `connected-detour-${detour}`)
    expect(await page.getByRole('status').textContent()).toContain('Ben Example')
    const notAllowed = page.getByRole('region', { name: 'What was not allowed' })
    expect(await notAllowed.getByRole('listitem').allTextContents()).toEqual(['write'])
    const allowed = page.getByRole('region', { name: 'What was allowed' })
    expect(await allowed.getByRole('listitem').allTextContents()).toEqual(['read'])
    expect(complaints).toEqual([])
    await context.close()

    const { consent } = await broker.call(broker.admin, broker.admin.getConsent, { consentId })
    expect(consent).toMatchObject({
      state: ConsentState.COMPLETED,
      status: { providerAccountName: 'Ben Example', missingScopes: ['write'] },
    })
    expect((await broker.getToken('acme')).scopes).toEqual(['read'])
  })

  it.skipIf(!can)('ends on a page that says so when the visitor says no', async () => {
    const { broker } = await startWorld(false)
    const { url } = await broker.createLink('acme')
    const { context, page } = await visit(browser)
    await page.goto(url)
    await page.getByRole('button', { name: 'Continue to' }).click()
    await page.getByRole('button', { name: 'Deny' }).click()
    await page.getByText('Details for whoever runs this service').click()
    await look(page, 'denied')
    expect(await page.getByRole('definition').allTextContents()).toContain('DENIED')
    await context.close()
    expect((await broker.refusal('acme')).reason).toBe('CONSENT_REQUIRED')
  })

  it.skipIf(!can).each([
    { who: 'the user whom it was made for', subject: 'user-7', outcome: 'COMPLETED' },
    { who: 'somebody else', subject: 'user-8', outcome: 'NOT_CONFIRMED' },
  ])('of two steps brings $who back to the service, which decides', async ({ subject, outcome }) => {
    let complete: (url: URL) => Promise<string> = async () => 'not ready'
    const portal = await startPortal(url => complete(url))
    const { broker } = await startWorld(false, `return_urls: {portal: "${portal.returnUrl}"}`)
    complete = async ({ searchParams }) => {
      const request = {
        consentId: searchParams.get('consent_id') ?? '',
        receipt: searchParams.get('receipt') ?? '',
        subject,
      }
      const { consent } = await broker.call(broker.admin, broker.admin.completeConsent, request)
      return consent?.state === ConsentState.COMPLETED ? 'COMPLETED' : (consent?.error?.reason ?? 'none')
    }
    const { url } = await broker.createLink('acme', { subject: 'user-7', returnId: 'portal' })
    const { context, page, complaints } = await visit(browser)
    await page.goto(url)
    await look(page, 'two-step-confirm')
    expect(await page.getByRole('heading', { name: 'You are brought back to 127.0.0.1' }).count()).toBe(1)
    await page.getByRole('button', { name: 'Continue to' }).click()
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.getByRole('heading', { name: outcome, level: 1 }).waitFor()
    await look(page, `two-step-${outcome}`)

    expect(portal.visits).toHaveLength(1)
    expect(portal.visits[0]?.headers).not.toHaveProperty('referer')
    expect(portal.visits[0]?.headers).not.toHaveProperty('cookie')
    // Going back shows nothing that could be used again.
    await page.goBack()
    expect(complaints).toEqual([])
    await context.close()
    const connected = await broker.getToken('acme').then(
      () => true,
      () => false,
    )
    expect(connected).toBe(outcome === 'COMPLETED')
  })

  it.skipIf(!can)(
    'of two steps goes back to the service with the reason when the visitor says no',
    async () => {
      const portal = await startPortal(async ({ searchParams }) => searchParams.get('error') ?? 'none')
      const { broker } = await startWorld(false, `return_urls: {portal: "${portal.returnUrl}"}`)
      const { url } = await broker.createLink('acme', { subject: 'user-7', returnId: 'portal' })
      const { context, page } = await visit(browser)
      await page.goto(url)
      await page.getByRole('button', { name: 'Continue to' }).click()
      await page.getByRole('button', { name: 'Deny' }).click()
      await page.getByRole('heading', { name: 'DENIED', level: 1 }).waitFor()
      expect(portal.visits[0]?.url.searchParams.has('receipt')).toBe(false)
      await context.close()
    },
  )
})
