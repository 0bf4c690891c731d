import { setTimeout as elapse } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { ImportConnectionRequest } from '../../src/gen/tokenbroker/v1/admin.ts'
import { RefreshRequest } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { createHome, type RunningBroker, startSandbox } from './broker-process.ts'

/** Of the access token that becomes due, at half of it, while the stop waits for a call. */
const LIFETIME_MS = 3_000
/** How long the provider takes to answer that call. */
const SLOW_MS = 4_000

it('a stop that waits for a call begins no renewal meanwhile, which would have to be waited for, too', async () => {
  const { sandbox, origin } = await startSandbox()
  const { control } = sandbox
  const home = await createHome()
  await home.writeFile('client-secret', 'sandbox-secret')
  await home.configure(`acme:
  definition: {issuer: "${origin}/oauth2"}
  client_id: sandbox-client
  client_secret: {file: client-secret}`)
  const broker = await home.start()
  control.addFault({ operation: 'refresh', delayAfterMs: SLOW_MS })
  await connect(broker, 'slow', 3_600_000)
  await connect(broker, 'due', LIFETIME_MS)
  const { tokens, call } = broker
  const slow = call(tokens, tokens.refresh, RefreshRequest.fromPartial({ provider: 'acme', account: 'slow' }))
  while (control.countRequests({ operation: 'refresh' }) === 0) await elapse(10)

  await broker.stop()

  expect((await slow).refreshed).toBe(true)
  expect(control.countRequests({ operation: 'refresh' })).toBe(1)

  async function connect({ admin, call, getToken }: RunningBroker, account: string, expiresInMs: number) {
    const grant = control.createGrant({ dialect: 'oauth2', scopes: ['read'] })
    const request = ImportConnectionRequest.fromPartial({
      provider: 'acme',
      account,
      credential: { $case: 'accessToken', value: grant.accessToken },
      refreshToken: grant.refreshToken ?? '',
      expireTime: new Date(Date.now() + expiresInMs),
    })
    await call(admin, admin.importConnection, request)
    // What nobody uses is not renewed ahead.
    await getToken('acme', { account, minTtl: { seconds: 0, nanos: 0 } })
  }
}, 20_000)
