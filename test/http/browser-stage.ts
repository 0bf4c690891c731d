import { existsSync } from 'node:fs'
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core'
import { skippedWithout } from '../skipped.ts'
import { createFakeConsentFlow, type FakeConsentFlow, REDIRECT_PATH } from './fake-consent-flow.ts'
import { type FakeProvider, startFakeProvider } from './fake-provider.ts'
import { startConsentServer, stopServers } from './running-server.ts'
import { selfSigned } from './self-signed.ts'

const CHROMIUM = '/usr/bin/chromium'

/** What this machine lacks, as part of a test's title; empty if nothing. */
export const missing = skippedWithout(CHROMIUM, existsSync(CHROMIUM))
export const tls = selfSigned()

/** Names of the test's origins; the browser is told where they live. `*.localhost` counts as trustworthy. */
export const BROKER = 'http://broker.localhost'
export const TLS_BROKER = 'https://broker.example'
export const PROVIDER = 'http://provider.localhost'
export const LOGIN = 'http://login.localhost'
export const CALLBACK = `${REDIRECT_PATH}?code=topsecret&state=s`

/** A browser with a broker and a provider to visit, for a whole file of tests. */
export interface Stage {
  readonly provider: FakeProvider
  /** The flow behind both origins of the broker. */
  readonly flow: FakeConsentFlow
  /** A browser of its own kind: no cookies yet, and a console that is listened to. */
  visit(options?: BrowserContextOptions): Promise<Visit>
  close(): Promise<void>
}

interface Visit {
  readonly context: BrowserContext
  readonly page: Page
  /** Everything that the console said, but for notes that a page had an error's status. */
  readonly complaints: string[]
}

export async function setStage(): Promise<Stage> {
  const flow = createFakeConsentFlow({ authorizationUrl: `${PROVIDER}/authorize?state=s&scope=a+b` })
  const provider = await startFakeProvider(LOGIN)
  const broker = await startConsentServer({ flow, publicUrl: BROKER })
  const tlsBroker = tls && (await startConsentServer({ flow, publicUrl: TLS_BROKER, tls }))
  const browser = await launch({
    [BROKER]: broker.port,
    [TLS_BROKER]: tlsBroker?.port ?? broker.port,
    [PROVIDER]: provider.port,
    [LOGIN]: provider.port,
  })
  return {
    provider,
    flow,
    visit: options => visit(browser, options),
    async close() {
      await browser.close()
      await provider.close()
      await stopServers()
    },
  }
}

export async function visit(browser: Browser, options?: BrowserContextOptions): Promise<Visit> {
  const context = await browser.newContext({ ...options, ignoreHTTPSErrors: true })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', message => {
    if (!message.text().startsWith('Failed to load resource: the server responded with a status of'))
      complaints.push(message.text())
  })
  page.on('pageerror', error => complaints.push(error.message))
  return { context, page, complaints }
}

export function launch(ports: Readonly<Record<string, number>>): Promise<Browser> {
  const rules = Object.entries(ports).map(([origin, port]) => `MAP ${new URL(origin).host} 127.0.0.1:${port}`)
  return chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--host-resolver-rules=${rules.join(', ')}`,
    ],
  })
}
