import type { TokenAnswer } from '../../oauth/answer.ts'
import type { Failure, Result } from '../../oauth/failure.ts'
import type { Definition } from '../../providers/definition.ts'
import type { Secret } from '../../secret.ts'
import { type Connection, openSibling } from '../connection.ts'
import type { ProviderHandle } from '../providers.ts'
import { verifyToken } from '../tokens/verification.ts'
import { decideAmbiguous, type Evidence, gatherEvidence } from './evidence.ts'
import type { RefreshPorts } from './outcome.ts'

/** What the provider made of the refresh tokens at hand. */
export type RefreshAnswer =
  | { readonly ok: true; readonly answer: TokenAnswer; readonly siblingUsed: boolean }
  | { readonly ok: false; readonly failure: Failure; readonly evidence?: Evidence }

/**
 * Sends the stored refresh token, and the sibling that a concurrent refresh left if the stored one is refused. Finds
 * out what a refusal is about where the answer alone does not tell.
 */
export async function send(
  ports: RefreshPorts,
  handle: ProviderHandle,
  connection: Connection,
  found: Result<Definition>,
): Promise<RefreshAnswer> {
  // Without the definition nobody knows whether the endpoint moved, so nothing may be sent.
  if (!found.ok) return { ok: false, failure: { ...found.failure, outcomeUnknown: false } }
  const result = await request(handle, connection, connection.tokens?.refreshToken)
  if (result.ok) return answered(handle, connection, result.value, false)
  if (isRefusal(result.failure)) {
    const sibling = openSibling(connection.row, ports.keyring)
    const second = sibling && (await request(handle, connection, sibling))
    if (second?.ok) {
      // Where the answer brings none, the one that was sent goes on.
      const answer = { ...second.value, refreshToken: second.value.refreshToken ?? sibling }
      return answered(handle, connection, answer, true)
    }
    // As long as it is not refused, too, the grant is not; an answer that was lost may have replaced it.
    if (second !== undefined && !isRefusal(second.failure)) return { ok: false, failure: second.failure }
  }
  return explain(ports, handle, connection, result.failure)
}

function request(
  { client }: ProviderHandle,
  { row, tokens }: Connection,
  refreshToken: Secret | undefined,
): Promise<Result<TokenAnswer>> {
  const { requestedScopes: scopes, variables, attributes, providerAccountId } = row
  const accessToken = tokens?.accessToken
  return client.refresh({ accessToken, refreshToken, scopes, variables, attributes, providerAccountId })
}

function answered(
  { observations }: ProviderHandle,
  { row }: Connection,
  answer: TokenAnswer,
  siblingUsed: boolean,
): RefreshAnswer {
  observations.renewed(row.id)
  return { ok: true, answer, siblingUsed }
}

function isRefusal(failure: Failure): boolean {
  return failure.class === 'reauthorize' || failure.class === 'ambiguous'
}

async function explain(
  { keyring, clock }: RefreshPorts,
  handle: ProviderHandle,
  connection: Connection,
  failure: Failure,
): Promise<RefreshAnswer> {
  const { observations, client } = handle
  if (isRefusal(failure)) observations.refused(connection.row.id)
  // The first plain refusal needs no reason: it is not believed yet.
  const isConfirming = failure.class === 'reauthorize' && connection.row.lastError?.class === 'reauthorize'
  if (failure.class !== 'ambiguous' && !isConfirming) return { ok: false, failure }

  const secret = client.secretInUse()
  const evidence = await gatherEvidence({
    connection,
    clientSecretFingerprint: secret && keyring.fingerprint(secret),
    observations,
    clock,
    verify: () => verifyToken({ ...handle, client: handle.ungoverned }, connection, clock),
  })
  if (failure.class !== 'ambiguous') return { ok: false, failure, evidence }
  return { ok: false, failure: { ...failure, class: decideAmbiguous(evidence) ?? 'ambiguous' }, evidence }
}
