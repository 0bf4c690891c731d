import { type Audit, AuditError } from '../../audit/audit.ts'
import type { TokenRequest } from '../broker.ts'
import type { OpenTokens } from '../connection.ts'
import { storeUnavailable } from '../connections.ts'

interface Ports {
  readonly audit: Audit
}

/** Whose token it is, and who is given it. */
type Recipient = Pick<TokenRequest, 'caller' | 'provider' | 'account'>

/**
 * Records the release of a token before it leaves.
 *
 * @throws BrokerError `BROKER_UNAVAILABLE` if a first release cannot be recorded
 */
export async function recordRelease(
  { audit }: Ports,
  { caller, provider, account }: Recipient,
  connectionId: string,
  version: string,
  { fingerprint, keyId }: Pick<OpenTokens, 'fingerprint' | 'keyId'>,
): Promise<void> {
  const { name, authentication, origin } = caller
  try {
    const who = { caller: name, authentication, origin }
    await audit.recordRelease({ ...who, connectionId, provider, account, version, fingerprint, keyId })
  } catch (error) {
    throw error instanceof AuditError ? storeUnavailable(error) : error
  }
}

/**
 * The same for a static token, whose version is its fingerprint. The name of the provider stands in the place of a
 * connection's id: the same token may be configured at several, and each release is one of its own.
 *
 * @throws BrokerError `BROKER_UNAVAILABLE` if a first release cannot be recorded
 */
export function recordStaticRelease(
  ports: Ports,
  recipient: Recipient,
  { version }: { readonly version: string },
): Promise<void> {
  return recordRelease(ports, recipient, `static:${recipient.provider}`, version, { fingerprint: version })
}
