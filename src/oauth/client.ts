import { type Http, HttpError, type HttpResponse } from '../egress/http.ts'
import type { Definition, Operation, OperationName } from '../providers/definition.ts'
import type { Provider } from '../providers/provider.ts'
import { Secret } from '../secret.ts'
import {
  readRefreshToken,
  readTokenAnswer,
  readVerifiedFacts,
  type TokenAnswer,
  type VerifiedFacts,
} from './answer.ts'
import { classify } from './classify.ts'
import { connectionOptions } from './connection-options.ts'
import type { DefinitionSource } from './discovery.ts'
import { type Failure, failed, type Result, success } from './failure.ts'
import type { ConnectionValues, RefreshInput, RevokeInput } from './inputs.ts'
import { readBody, valueAt } from './json.ts'
import { present, refreshParameters, revokeParameters } from './parameters.ts'
import { buildRequest } from './request.ts'
import { isSuccess } from './success.ts'
import { TemplateError, type Values } from './template.ts'

/** Speaks to one provider as its definition says. Nothing is stored, nothing is retried. */
export interface OAuthClient {
  readonly provider: Provider
  /** The definition before discovery; what needs no network reads this. */
  readonly written: Definition
  /** The complete definition; asks the issuer for what it promised, once. */
  definition(): Promise<Result<Definition>>
  /** The client secret that the provider took last, else the first; absent for a client without one. */
  secretInUse(): Secret | undefined
  /** Turns an authorization code into tokens (RFC 6749 section 4.1.3). */
  exchange(
    input: ConnectionValues & {
      readonly code: Secret
      readonly redirectUri: string
      readonly codeVerifier?: Secret
    },
  ): Promise<Result<TokenAnswer>>
  /** Obtains a new access token (RFC 6749 section 6, or 4.4 for `client_credentials`). */
  refresh(input: RefreshInput): Promise<Result<TokenAnswer>>
  /** Turns a token of a former kind into a grant; sends what the definition's `params` say and nothing else. */
  migrate(input: ConnectionValues & { readonly accessToken: Secret }): Promise<Result<TokenAnswer>>
  /** Revokes one token (RFC 7009); success where the provider says that it is dead. */
  revoke(input: RevokeInput): Promise<Result<void>>
  /** Asks the provider whether an access token works. */
  verify(input: ConnectionValues & { readonly accessToken: Secret }): Promise<Result<VerifiedFacts>>
}

/** Reads a success; `undefined` if it is none after all. */
type Read<T> = (
  definition: Definition,
  operation: Operation,
  response: HttpResponse,
  sentAt: number,
) => T | undefined

interface Sending<T> {
  readonly name: OperationName
  readonly definition: Definition
  readonly operation: Operation & { readonly url: string }
  readonly values: Values
  readonly read: Read<T>
}

/** What is answered where our client, or perhaps that, is refused, and what only where it was taken. */
const REFUSES_CLIENT: readonly Failure['class'][] = ['client', 'ambiguous']
const TAKES_CLIENT: readonly Failure['class'][] = ['reauthorize', 'connection']

/** Creates the client of one provider. `now` is the wall clock in milliseconds. */
export function createOAuthClient(
  provider: Provider,
  source: DefinitionSource,
  http: Http,
  now: () => number,
): OAuthClient {
  /** The secret that the provider took last; during a rotation the others are tried after it. */
  let preferred = 0
  const options = connectionOptions(provider, source.written)

  async function run<T>(
    name: OperationName,
    standard: (definition: Definition) => Record<string, string>,
    values: Values,
    read: Read<T>,
  ): Promise<Result<T>> {
    const found = await source.get()
    if (!found.ok) return found
    const operation = found.value.operations[name] as Operation | undefined
    if (operation?.url === undefined) return failed(unsupported(name))
    const parts = {
      name,
      definition: found.value,
      operation: { ...operation, url: operation.url },
      values,
      read,
    }
    const count = Math.max(1, provider.clientSecrets.length)
    // Another request may find out meanwhile which one is taken; this one tries each once.
    const first = preferred
    let result: Result<T> | undefined
    for (let turn = 0; turn < count; turn++) {
      const index = (first + turn) % count
      result = await sendOnce(parts, standard(found.value), provider.clientSecrets[index])
      if (result.ok || TAKES_CLIENT.includes(result.failure.class)) preferred = index
      // Only a provider that refuses our client, or perhaps that, has certainly not acted.
      if (result.ok || !REFUSES_CLIENT.includes(result.failure.class)) break
    }
    return result ?? failed(unsupported(name))
  }

  async function sendOnce<T>(
    { name, definition, operation, values, read }: Sending<T>,
    standard: Record<string, string>,
    clientSecret: Secret | undefined,
  ): Promise<Result<T>> {
    const all = {
      ...provider.variables,
      ...values,
      client_id: provider.clientId,
      client_secret: clientSecret,
    }
    const sentAt = now()
    try {
      const request = buildRequest(definition, name, operation, standard, all)
      const presented = name === 'verify' ? present(definition, operation, request, values) : request
      const response = await http.send(presented, options)
      const succeeded = isSuccess(definition, operation, response)
      const value = succeeded ? read(definition, operation, response, sentAt) : undefined
      if (value !== undefined) return success(value)
      const secrets = Object.values(all).filter(sent => sent instanceof Secret)
      const failure = classify(definition, name, response, now(), secrets)
      // No rule that calls an answer a failure costs a refresh token, unless another one says what failed.
      const mayHaveActed = succeeded || (response.status < 300 && failure.class === 'retry')
      if (name !== 'refresh' || !mayHaveActed) return failed(failure)
      const root = operation.root ?? definition.root
      return failed({ ...failure, refreshToken: readRefreshToken(definition, response.body, root) })
    } catch (error) {
      return failed(failureOf(error))
    }
  }

  const tokens = (definition: Definition, operation: Operation, response: HttpResponse, sentAt: number) =>
    readTokenAnswer(definition, response.body, operation.root ?? definition.root, sentAt)

  return {
    provider,
    written: source.written,
    definition: source.get,
    secretInUse: () => provider.clientSecrets[preferred],
    exchange: input =>
      run(
        'exchange',
        () => ({
          grant_type: 'authorization_code',
          code: input.code.expose(),
          redirect_uri: input.redirectUri,
          ...(input.codeVerifier && { code_verifier: input.codeVerifier.expose() }),
        }),
        {
          ...valuesOf(input),
          code: input.code,
          redirect_uri: input.redirectUri,
          code_verifier: input.codeVerifier,
        },
        tokens,
      ),
    refresh: input =>
      run(
        'refresh',
        definition => refreshParameters(definition, input),
        {
          ...valuesOf(input),
          refresh_token: input.refreshToken,
          access_token: input.accessToken,
          scope: input.scopes.join(provider.definition.authorize.scope_separator),
        },
        tokens,
      ),
    migrate: input =>
      run('migrate', () => ({}), { ...valuesOf(input), access_token: input.accessToken }, tokens),
    revoke: async input => {
      const result = await run(
        'revoke',
        definition => revokeParameters(definition, input),
        { ...valuesOf(input), [input.hint]: input.token },
        () => true,
      )
      if (result.ok) return success(undefined)
      // The provider says that the token is dead already, which is what was wanted.
      return result.failure.class === 'reauthorize' ? success(undefined) : result
    },
    verify: input =>
      run(
        'verify',
        () => ({}),
        { ...valuesOf(input), access_token: input.accessToken },
        (definition, operation, response, sentAt) => {
          const root = operation.root ?? definition.root
          const body = readBody(response.body)
          const yields = definition.operations.verify?.yields ?? {}
          return readVerifiedFacts(yields, root === undefined ? body : valueAt(body, root), sentAt)
        },
      ),
  }
}

function valuesOf({ variables, attributes, providerAccountId }: ConnectionValues): Values {
  return { ...attributes, ...variables, provider_account_id: providerAccountId }
}

function unsupported(name: OperationName): Failure {
  return {
    class: 'unsupported',
    outcomeUnknown: false,
    providerCode: '',
    message: `the definition has no ${name} operation`,
  }
}

function failureOf(error: unknown): Failure {
  const base = { providerCode: '', message: error instanceof Error ? error.message : '' }
  if (error instanceof HttpError) {
    const sent = error.failure !== 'not_sent'
    return { ...base, class: sent ? 'retry' : 'not_sent', outcomeUnknown: sent }
  }
  if (error instanceof TemplateError) return { ...base, class: 'connection', outcomeUnknown: false }
  // A URL or header that cannot be sent, or a mistake of ours. Its own message may quote the request.
  const name = error instanceof Error ? error.name : typeof error
  return {
    ...base,
    class: 'retry',
    outcomeUnknown: true,
    message: `the request ended unexpectedly (${name})`,
  }
}
