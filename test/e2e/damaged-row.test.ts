import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { ImportConnectionRequest } from '../../src/gen/tokenbroker/v1/admin.ts'
import {
  ConnectionState,
  DisconnectRequest,
  GetStatusRequest,
} from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { createHome, type Home, type RunningBroker, startSandbox } from './broker-process.ts'

const ACME = 'acme'

it('A damaged row is unreadable, can be replaced and removed, and all others are renewed', async () => {
  const { sandbox, origin } = await startSandbox()
  const home = await createHome()
  await home.writeFile('client-secret', 'sandbox-secret')
  await home.configure(`acme:
  definition: {issuer: "${origin}/oauth2"}
  client_id: sandbox-client
  client_secret: {file: client-secret}`)
  const former = await home.start()
  for (const account of ['bad', 'good', 'gone']) await connect(former, account)
  await former.stop()
  damage(home, 'bad')
  damage(home, 'gone')

  const broker = await home.start()
  const refreshes = () => sandbox.control.countRequests({ operation: 'refresh' })
  await expect.poll(refreshes).toBe(1)
  await broker.getToken(ACME, { account: 'good' })
  expect(await broker.refusal(ACME, { account: 'bad' })).toMatchObject({
    reason: 'UNREADABLE',
    metadata: { why: 'damaged' },
  })
  const named = GetStatusRequest.fromPartial({ provider: ACME, account: 'bad' })
  const { status } = await broker.call(broker.tokens, broker.tokens.getStatus, named)
  expect(status).toMatchObject({ state: ConnectionState.UNREADABLE })
  expect(status?.diagnosis).toContain('is damaged (attributes)')

  await connect(broker, 'bad')
  await broker.getToken(ACME, { account: 'bad' })
  const removal = DisconnectRequest.fromPartial({ provider: ACME, account: 'gone' })
  await broker.call(broker.tokens, broker.tokens.disconnect, removal)
  expect((await broker.refusal(ACME, { account: 'gone' })).reason).toBe('CONSENT_REQUIRED')

  /** A connection whose access token is all but over. */
  async function connect({ admin, call }: RunningBroker, account: string) {
    const grant = sandbox.control.createGrant({ dialect: 'oauth2', scopes: ['read'] })
    const request = ImportConnectionRequest.fromPartial({
      provider: ACME,
      account,
      credential: { $case: 'accessToken', value: grant.accessToken },
      refreshToken: grant.refreshToken ?? '',
      expireTime: new Date(Date.now() + 1_000),
      replace: true,
    })
    await call(admin, admin.importConnection, request)
  }
})

/** Changes a byte of a row, as a failing disk does. */
function damage(home: Home, account: string): void {
  const database = new Database(join(home.dataDir, 'broker.db'))
  database.prepare(`UPDATE connections SET attributes = '{' WHERE account = ?`).run(account)
  database.close()
}
