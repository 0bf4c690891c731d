import type { ServiceError } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { CreateConsentLinkRequest, ImportConnectionRequest } from '../../src/gen/tokenbroker/v1/admin.ts'
import {
  bearer,
  call,
  callerNamed,
  decodeFailure,
  type RunningServer,
  startServer,
} from './running-server.ts'

const ACME = { provider: 'pinterest', account: 'acme' }

let running: RunningServer
afterEach(() => running.stop())

/** A server with a caller whose rule has scopes. */
async function start(configured: readonly string[]) {
  const methods = ['CreateConsentLink', 'ImportConnection']
  const rule = { providers: ['pinterest'], accounts: ['acme'], methods, scopes: ['ads:*', 'pins'] }
  running = await startServer({
    callers: [callerNamed('service', rule)],
    broker: { configuredScopes: () => configured },
  })
  return running.admin
}

type Admin = RunningServer['admin']
type Ask = (admin: Admin, scopes: readonly string[]) => Promise<unknown>

const methods: readonly (readonly [string, Ask])[] = [
  [
    'CreateConsentLink',
    (admin, scopes) => {
      const request = CreateConsentLinkRequest.fromPartial({ ...ACME, scopes: [...scopes] })
      return call(admin, admin.createConsentLink, request, bearer('service'))
    },
  ],
  [
    'ImportConnection',
    (admin, scopes) => {
      const credential = { $case: 'accessToken', value: 'pina_1' } as const
      const request = ImportConnectionRequest.fromPartial({ ...ACME, credential, scopes: [...scopes] })
      return call(admin, admin.importConnection, request, bearer('service'))
    },
  ],
]

/** The scopes for which a call is refused; `undefined` if it is answered. */
async function refused(outcome: Promise<unknown>): Promise<string | undefined> {
  try {
    await outcome
    return undefined
  } catch (error) {
    const { reason, metadata } = decodeFailure(error as ServiceError)
    expect(reason).toBe('ACCESS_DENIED')
    return metadata.scopes
  }
}

describe.each(methods)('%s', (_, ask) => {
  it.each<[string, string[], string[], string | undefined]>([
    ['names scopes of the rule', ['ads:read', 'pins'], ['boards'], undefined],
    ['names scopes beyond the rule', ['ads:read', 'boards', 'pins2'], [], 'boards pins2'],
    ['names none, and the configuration has scopes of the rule', [], ['ads:read', 'pins'], undefined],
    ['names none, and the configuration has scopes beyond the rule', [], ['ads:read', 'boards'], 'boards'],
    ['names none, and the configuration has none', [], [], undefined],
  ])('that %s', async (_, scopes, configured, forbidden) => {
    expect(await refused(ask(await start(configured), scopes))).toBe(forbidden)
  })
})
