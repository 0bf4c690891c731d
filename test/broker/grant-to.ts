import { sealContext } from '../../src/broker/connection.ts'
import { Secret } from '../../src/secret.ts'
import { fakeKeyring } from './fake-keyring.ts'
import type { Machine, Process } from './machine.ts'

/** Connects accounts without their consent, as many as a test wants: the first consents, the others get grants like its. */
export async function grantTo(
  { server }: Machine,
  process: Process,
  accounts: readonly string[],
): Promise<void> {
  const [first = '', ...others] = accounts
  await process.connect({ account: first })
  const row = await process.store.findConnection('acme', first)
  if (row === undefined) throw new Error('not connected')
  for (const account of others) {
    const { accessToken, refreshToken } = server.issue()
    const place = { id: `id of ${account}`, grantEpoch: 1, tokenOrigin: row.tokenOrigin }
    const seal = (token: string, column: 'access_token' | 'refresh_token') =>
      fakeKeyring.seal(new Secret(token), sealContext(place, column))
    await process.store.saveGrant({
      ...row,
      ...place,
      account,
      version: `version of ${account}`,
      sealedAccessToken: seal(accessToken, 'access_token'),
      sealedRefreshToken: seal(refreshToken, 'refresh_token'),
      expected: null,
      cancelRevocations: false,
    })
  }
}
