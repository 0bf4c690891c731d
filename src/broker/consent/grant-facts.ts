import type { TokenAnswer, VerifiedFacts } from '../../oauth/answer.ts'
import type { Definition } from '../../providers/definition.ts'
import type { ProviderHandle } from '../providers.ts'

/** What a grant was asked for with. */
interface Asked {
  readonly scopes: readonly string[]
  readonly variables: Readonly<Record<string, string>>
}

/** Whether the provider can be asked about the access token of an answer. */
export function canVerify(
  definition: Definition,
  { scopes }: Pick<Asked, 'scopes'>,
  answer: TokenAnswer,
): boolean {
  const operation = definition.operations.verify
  const needed = operation?.needs_scope
  return operation?.url !== undefined && (needed === undefined || (answer.scopes ?? scopes).includes(needed))
}

/** What the provider tells about an access token; `undefined` if it cannot be asked or does not tell. */
export async function verifiedFacts(
  { client }: ProviderHandle,
  definition: Definition,
  asked: Asked,
  answer: TokenAnswer,
): Promise<VerifiedFacts | undefined> {
  if (!canVerify(definition, asked, answer)) return undefined
  const { accessToken, attributes, providerAccountId } = answer
  const { variables } = asked
  const result = await client.verify({ accessToken, variables, attributes, providerAccountId })
  return result.ok ? result.value : undefined
}

/** The answer with what it lacked; what it says itself stays. */
export function withFacts(answer: TokenAnswer, facts: VerifiedFacts | undefined): TokenAnswer {
  const expiresAt = answer.expiresAt ?? facts?.expiresAt
  return {
    ...answer,
    providerAccountId: answer.providerAccountId || (facts?.providerAccountId ?? ''),
    providerAccountName: answer.providerAccountName || (facts?.providerAccountName ?? ''),
    scopes: answer.scopes ?? facts?.scopes,
    expiresAt,
    expiry: answer.expiresAt === undefined && expiresAt !== undefined ? 'STATED' : answer.expiry,
  }
}
