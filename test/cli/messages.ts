import {
  type AccessToken,
  AccessToken as AccessTokenMessage,
  ConnectionState,
  ConnectionStatus,
  Source,
} from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { NOW } from './run-cli.ts'

/** A time on the fake clock. */
export function minutesFromNow(minutes: number): Date {
  return new Date(NOW + minutes * 60_000)
}

/** A healthy connection, with some fields changed. */
export function statusOf(changes: Parameters<typeof ConnectionStatus.fromPartial>[0] = {}): ConnectionStatus {
  return ConnectionStatus.fromPartial({
    provider: 'pinterest',
    state: ConnectionState.ACTIVE,
    connected: true,
    healthy: true,
    source: Source.OAUTH,
    providerAccountId: '1234',
    providerAccountName: 'jane',
    requestedScopes: ['ads:read', 'boards:read'],
    grantedScopes: ['ads:read', 'boards:read'],
    expireTime: minutesFromNow(30),
    diagnosis: 'connected; the token is renewed before it expires',
    version: 'v-1',
    ...changes,
  })
}

/** Marks the secret so that a test finds it wherever it goes. */
export const ACCESS_TOKEN = 'pina_THE-SECRET-ITSELF'

export function tokenOf(changes: Parameters<typeof AccessTokenMessage.fromPartial>[0] = {}): AccessToken {
  return AccessTokenMessage.fromPartial({
    accessToken: ACCESS_TOKEN,
    tokenType: 'Bearer',
    version: 'v-1',
    expireTime: minutesFromNow(30),
    expiry: 1,
    scopes: ['ads:read'],
    source: Source.OAUTH,
    presentation: {
      headerName: 'Authorization',
      valuePrefix: 'Bearer ',
      headers: {},
      baseUrl: 'https://api.example',
    },
    ...changes,
  })
}
