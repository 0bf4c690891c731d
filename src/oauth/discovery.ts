import * as oauth from 'oauth4webapi'
import { type Http, HttpError, type HttpOptions } from '../egress/http.ts'
import { isLoopback } from '../loopback.ts'
import type { Definition } from '../providers/definition.ts'
import type { Provider } from '../providers/provider.ts'
import { rebase } from '../providers/rebase.ts'
import { USERINFO_YIELDS } from '../providers/resolve.ts'
import { Secret } from '../secret.ts'
import { connectionOptions } from './connection-options.ts'
import { type Failure, failed, type Result, success } from './failure.ts'

/** A failed discovery is not tried again before that many milliseconds: every caller would wait for it. */
const RETRY_AFTER_MS = 1_000

/** Where the complete definition of a provider comes from. */
export interface DefinitionSource {
  /** As configured, with `endpoints_base` applied, before discovery; what needs no network reads this. */
  readonly written: Definition
  get(): Promise<Result<Definition>>
}

/**
 * Completes a provider's definition: `endpoints_base` is applied, and what `issuer` promises is read from its
 * metadata (RFC 8414, OpenID Connect Discovery) once, at first use, so that a provider that is down does not
 * keep the broker from starting.
 */
export function createDefinitionSource(provider: Provider, http: Http, now: () => number): DefinitionSource {
  const base = provider.endpointsBase
  const written = base === undefined ? provider.definition : rebase(provider.definition, base)
  if (isComplete(written)) return { written, get: async () => success(written) }

  let pending: Promise<Result<Definition>> | undefined
  let failedAt: number | undefined

  async function discover(): Promise<Result<Definition>> {
    const result = await readMetadata(written, provider, http)
    failedAt = result.ok ? undefined : now()
    return result
  }

  return {
    written,
    get() {
      if (failedAt !== undefined && now() - failedAt >= RETRY_AFTER_MS) {
        pending = undefined
        failedAt = undefined
      }
      pending ??= discover()
      return pending
    },
  }
}

function isComplete(definition: Definition): boolean {
  return definition.issuer === undefined
}

async function readMetadata(
  definition: Definition,
  provider: Provider,
  http: Http,
): Promise<Result<Definition>> {
  const issuer = new URL(definition.issuer ?? '')
  const options = connectionOptions(provider, definition)
  const failures: Failure[] = []
  for (const algorithm of ['oidc', 'oauth2'] as const) {
    try {
      const response = await oauth.discoveryRequest(issuer, {
        algorithm,
        // Egress refuses plain http beyond loopback.
        [oauth.allowInsecureRequests]: true,
        [oauth.customFetch]: url => fetchThrough(http, url, options),
      })
      const metadata = await oauth.processDiscoveryResponse(issuer, response)
      if (!isForBrowsers(metadata.authorization_endpoint)) throw new Error('no address for a browser')
      return success(withMetadata(definition, metadata))
    } catch (error) {
      failures.push(discoveryFailure(issuer, error))
    }
  }
  // An outage at one place says more than an absence at the other.
  const outage = failures.find(failure => failure.class !== 'client')
  return failed(outage ?? discoveryFailure(issuer, undefined))
}

async function fetchThrough(http: Http, url: string, options: HttpOptions): Promise<Response> {
  const { status, headers, body } = await http.send(
    { method: 'GET', url: new Secret(url), headers: { accept: 'application/json' } },
    options,
  )
  if (status >= 500 || status === 429) throw new MetadataOutage(`${new URL(url).host} answered ${status}`)
  return new Response(status === 204 || status === 304 ? null : body.expose(), { status, headers })
}

/** The metadata cannot be had now, which says nothing about the configuration. */
class MetadataOutage extends Error {}

function discoveryFailure(issuer: URL, error: unknown): Failure {
  const base = { outcomeUnknown: false, providerCode: '' }
  // Whatever the operation was, it was not sent.
  if (error instanceof HttpError || error instanceof MetadataOutage) {
    return { ...base, class: 'not_sent', message: error.message }
  }
  const message = `the issuer ${issuer.host} has no usable metadata; check the issuer, or write its URLs into the definition`
  return { ...base, class: 'client', message }
}

/**
 * Whether a browser may be sent there, if anywhere: by https, or http to this machine. Egress judges only where the
 * broker itself goes, and a `javascript:` would stand in a link of ours.
 */
function isForBrowsers(endpoint: string | undefined): boolean {
  if (endpoint === undefined) return true
  const url = URL.parse(endpoint)
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))
}

/** What the definition says wins over what the metadata says. */
function withMetadata(definition: Definition, metadata: oauth.AuthorizationServer): Definition {
  const { operations } = definition
  const token = metadata.token_endpoint
  const revoke = operations.revoke?.url ?? metadata.revocation_endpoint
  const verify = operations.verify?.url ?? metadata.userinfo_endpoint
  const plain = { method: 'POST', encoding: 'form', params: {}, names: {}, headers: {} } as const
  return {
    ...definition,
    issuer: metadata.issuer,
    callback: {
      ...definition.callback,
      iss_required:
        definition.callback.iss_required || metadata.authorization_response_iss_parameter_supported === true,
    },
    authorize: { ...definition.authorize, url: definition.authorize.url ?? metadata.authorization_endpoint },
    operations: {
      ...operations,
      exchange: { ...plain, ...operations.exchange, url: operations.exchange?.url ?? token },
      refresh: { ...plain, ...operations.refresh, url: operations.refresh?.url ?? token },
      revoke:
        revoke === undefined
          ? undefined
          : { ...plain, token: 'refresh', revokes: 'grant', ...operations.revoke, url: revoke },
      verify:
        verify === undefined
          ? undefined
          : {
              ...plain,
              method: 'GET',
              encoding: 'none',
              yields: USERINFO_YIELDS,
              ...operations.verify,
              url: verify,
            },
    },
  }
}
