import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import type { Broker } from '../../src/broker/broker.ts'
import type { ConsentConfirmation } from '../../src/broker/consent/consent.ts'
import type { CallerConfig } from '../../src/config/config.ts'
import { ConsentState } from '../../src/gen/tokenbroker/v1/admin.ts'
import { CONSENT, createFakeBroker } from './fake-broker.ts'
import { bearer, call, callerNamed, failureOf, type RunningServer, startServer } from './running-server.ts'

let running: RunningServer
afterEach(() => running.stop())

async function start(broker: Partial<Broker> = {}, callers: CallerConfig[] = []) {
  running = await startServer({ broker, callers })
  return running.admin
}

describe('CompleteConsent', () => {
  const REQUEST = { consentId: CONSENT.consentId, receipt: 'canary_receipt', subject: 'user-7' }

  it('refuses every malformed field at once, and quotes no receipt', async () => {
    const client = await start()
    const malformed = { consentId: '', receipt: 'canary receipt', subject: '' }
    const failure = await failureOf(call(client, client.completeConsent, malformed))
    expect(Object.keys(failure.violations).sort()).toEqual(['consent_id', 'receipt', 'subject'])
    expect(JSON.stringify(failure)).not.toContain('canary')
  })

  it('asks the broker in the name of its caller and answers the outcome', async () => {
    const asked: ConsentConfirmation[] = []
    const client = await start({
      completeConsent: async request => {
        asked.push(request)
        return CONSENT
      },
    })
    const { consent } = await call(client, client.completeConsent, REQUEST)
    expect(consent).toMatchObject({ state: ConsentState.COMPLETED, consentId: 'consent-1' })
    expect(asked).toMatchObject([{ consentId: 'consent-1', subject: 'user-7', caller: { name: 'operator' } }])
    expect(asked[0]?.receipt.expose()).toBe('canary_receipt')
  })

  it('says the same, byte by byte, of what is absent, and destroys nothing of what the caller may not see', async () => {
    const asked: unknown[] = []
    const { completeConsent } = createFakeBroker()
    const broker: Partial<Broker> = {
      completeConsent: request => {
        asked.push(request)
        return completeConsent(request)
      },
    }
    const elsewhere = { providers: ['pinterest'], accounts: ['other'], methods: ['CompleteConsent'] }
    const client = await start(broker, [callerNamed('other', elsewhere)])
    const ask = (consentId: string, metadata = bearer('other')) =>
      failureOf(call(client, client.completeConsent, { ...REQUEST, consentId }, metadata))
    const hidden = await ask(CONSENT.consentId)
    expect(hidden).toMatchObject({ code: status.NOT_FOUND, reason: 'CONSENT_NOT_FOUND' })
    expect(await ask('consent-2')).toEqual(hidden)
    expect(asked).toEqual([])
  })

  it('needs the right to complete, not only to look', async () => {
    const look = { providers: ['*'], accounts: ['*'], methods: ['GetConsent'] }
    const client = await start({}, [callerNamed('looker', look)])
    const failure = await failureOf(call(client, client.completeConsent, REQUEST, bearer('looker')))
    expect(failure.reason).toBe('ACCESS_DENIED')
  })
})
