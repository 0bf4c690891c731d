import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ConsentState } from '../../src/gen/tokenbroker/v1/admin.ts'
import { launch, missing, visit } from '../http/browser-stage.ts'
import { createHome, type RunningBroker, startSandbox } from './broker-process.ts'

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
async function startWorld(detour: boolean): Promise<{ broker: RunningBroker; provider: string }> {
  const { origin } = await startSandbox({ detour })
  const home = await createHome({ publicHost: 'localhost' })
  await home.writeFile('client-secret', 'sandbox-secret')
  await home.configure(`acme:
  definition: {issuer: "${origin}/oauth2"}
  client_id: sandbox-client
  client_secret: {file: client-secret}
  scopes: [read, write]`)
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
})
