import { createHash } from 'node:crypto'
import { onTestFinished, vi } from 'vitest'
import {
  type CompleteConsentResponse,
  type Consent,
  ConsentState,
  type CreateConsentLinkRequest,
} from '../../src/gen/tokenbroker/v1/admin.ts'
import { bearer, call } from '../api/running-server.ts'
import { createHome, startSandbox } from './broker-process.ts'
import { createVisitor } from './visitor.ts'

/** Where the asking service lives; nobody listens there, because what counts is where browsers are sent. */
export const PORTAL = 'https://portal.example/connected'
const NO_WISHES = { account: '', scopes: [], variables: {}, allowAccountChange: false }

/** A link of two steps for one of the portal's users. */
export const forUser = (subject: string) => ({ subject, returnId: 'portal' })

/** An honest and a malicious authorization server, a broker between them, and a service that asks for its users. */
export async function createAttackWorld() {
  const honest = await startSandbox()
  const evil = await startSandbox()
  for (const { sandbox } of [honest, evil]) sandbox.control.changeBehavior('oauth2', { consent: 'allow' })
  const home = await createHome()
  await home.writeFile('client-secret', 'sandbox-secret')
  const client = 'client_id: sandbox-client\n  client_secret: {file: client-secret}\n  scopes: [read]'
  const plain = `authorize_url: "${honest.origin}/oauth2/authorize", token_url: "${honest.origin}/oauth2/token"`
  await home.configure(
    `honest:
  definition: {issuer: "${honest.origin}/oauth2"}
  ${client}
evil:
  definition: {issuer: "${evil.origin}/oauth2"}
  ${client}
plain:
  definition: {${plain}}
  ${client}`,
    `return_urls: {portal: "${PORTAL}"}
callers:${['portal', 'other'].map(callerYaml).join('')}`,
  )
  const broker = await home.start()
  const { admin } = broker

  async function link(provider: string, wishes: Partial<CreateConsentLinkRequest> = {}) {
    const request = { ...NO_WISHES, subject: '', returnId: '', provider, ...wishes }
    return call(admin, admin.createConsentLink, request, bearer(tokenOf('portal')))
  }

  async function complete(
    way: URL | undefined,
    subject: string,
    { caller = 'portal', receipt = way?.searchParams.get('receipt') ?? '' } = {},
  ): Promise<string> {
    const consentId = way?.searchParams.get('consent_id') ?? ''
    const { consent }: CompleteConsentResponse = await call(
      admin,
      admin.completeConsent,
      { consentId, receipt, subject },
      bearer(tokenOf(caller)),
    )
    return `${nameOf(consent)} ${consent?.error?.reason ?? ''}`.trim()
  }

  return {
    honest,
    evil,
    home,
    broker,
    link,
    /** What the portal says of its user once a browser is back there; answers the state and the reason. */
    complete,
    visitor: () => createVisitor(home.publicUrl, [PORTAL]),
    stateOf: async (consentId: string) => {
      const { consent } = await broker.call(admin, admin.getConsent, { consentId })
      return nameOf(consent)
    },
    /** Requests to any token endpoint so far. */
    exchanges: () =>
      [honest, evil].reduce(
        (sum, { sandbox }) => sum + sandbox.control.countRequests({ operation: 'exchange' }),
        0,
      ),
    /** The reasons that the audit has for what was refused. */
    async auditReasons(): Promise<string[]> {
      const all = {
        startTime: undefined,
        endTime: undefined,
        caller: '',
        provider: '',
        accountFilter: undefined,
        event: '',
        oldestFirst: true,
        pageSize: 0,
        pageToken: '',
      }
      const { records } = await broker.call(admin, admin.listAuditRecords, all)
      return records.map(({ reason }) => reason).filter(reason => reason !== '')
    },
    /** Lets the wall clock of everybody jump. */
    later(ms: number) {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms })
      onTestFinished(() => void vi.useRealTimers())
    },
  }
}

export type AttackWorld = Awaited<ReturnType<typeof createAttackWorld>>

function nameOf(consent: Consent | undefined): string {
  const found = Object.entries(ConsentState).find(([, value]) => value === consent?.state)
  return found?.[0] ?? 'none'
}

function tokenOf(name: string): string {
  return `canary-token-of-${name}`
}

function callerYaml(name: string): string {
  const hash = createHash('sha256').update(tokenOf(name)).digest('hex')
  const allow =
    '{providers: ["*"], accounts: ["*"], methods: [CreateConsentLink, GetConsent, CompleteConsent]}'
  return `\n  - name: ${name}\n    token_sha256: ${hash}\n    allow: [${allow}]`
}
