import { resolve } from 'node:path'
import type { Provider } from '../providers/provider.ts'
import { PRODUCTION } from '../providers/resolve.ts'
import type { Secret } from '../secret.ts'
import { PEM_BYTES_MAX, requireAuthorities } from './certificates.ts'
import { type ReadFile, readText } from './files.ts'
import { attempt, Mistake } from './mistake.ts'
import type { Report } from './problem.ts'
import { readDefinition } from './provider-definition.ts'
import { checkProvider } from './provider-rules.ts'
import type { WrittenProvider } from './provider-schema.ts'
import type { ReadSecret } from './secret-source.ts'

/** What providers are read with. */
export interface ProviderParts {
  readonly publicUrl: string
  readonly readSecret: ReadSecret
  readonly readFile: ReadFile
  /** Relative paths start here. */
  readonly folder: string
  readonly report: Report
}

/** Characters of a token as it stands in a header (RFC 6750 section 2.1 allows fewer). */
const TOKEN = /^[\x21-\x7e]{1,16384}$/

/** Completes all providers: definitions resolved, secrets and certificates read, rules between keys checked. */
export async function readProviders(
  written: Readonly<Record<string, WrittenProvider>>,
  parts: ProviderParts,
): Promise<Map<string, Provider>> {
  const all = await Promise.all(
    Object.entries(written).map(([id, provider]) => {
      const report: Report = (path, message, mayPass) =>
        parts.report(['providers', id, ...path], message, mayPass)
      return readProvider(id, provider, { ...parts, report })
    }),
  )
  const providers = new Map<string, Provider>()
  const paths = new Map<string, string>()
  for (const provider of all.filter(provider => provider !== undefined)) {
    const other = paths.get(provider.redirectPath)
    if (other !== undefined) {
      const message = `is the redirect path of ${other} too; each provider has its own`
      parts.report(['providers', provider.id, 'redirect_path'], message)
    }
    paths.set(provider.redirectPath, provider.id)
    providers.set(provider.id, provider)
  }
  return providers
}

async function readProvider(
  id: string,
  written: WrittenProvider,
  parts: ProviderParts,
): Promise<Provider | undefined> {
  const [definition, values] = await Promise.all([
    readDefinition(id, written, parts.report),
    readValues(written, parts),
  ])
  if (definition === undefined) return undefined
  const redirectPath = written.redirect_path ?? `/oauth/callback/${id}`
  const redirectUri = parts.publicUrl + redirectPath
  checkProvider(written, definition, redirectUri, parts.report)
  return {
    id,
    definition,
    environment: written.environment ?? PRODUCTION,
    ...values,
    scopes: written.scopes,
    redirectPath,
    redirectUri,
    limits: { concurrency: written.limits.concurrency, perSecond: written.limits.per_second },
    missingScopes: written.missing_scopes ?? definition.missing_scopes,
    variables: written.variables,
    endpointsBase: written.endpoints_base,
    allowNetworks: written.allow_networks,
  }
}

/** What stands elsewhere: secrets and the certificates. */
async function readValues(written: WrittenProvider, parts: ProviderParts) {
  const { client_id: clientId, client_secret: secrets, static_access_token: token, ca } = written
  const { readSecret, report } = parts
  const listed = Array.isArray(secrets)
  const [id, staticAccessToken, trusted, ...clientSecrets] = await Promise.all([
    typeof clientId === 'object'
      ? attempt(report, ['client_id'], async () => (await readSecret(clientId)).expose())
      : clientId,
    token && attempt(report, ['static_access_token'], async () => requireToken(await readSecret(token))),
    ca === undefined ? undefined : attempt(report, ['ca'], () => readAuthorities(ca, parts)),
    ...[secrets ?? []].flat().map((source, index) => {
      return attempt(report, listed ? ['client_secret', index] : ['client_secret'], () => readSecret(source))
    }),
  ])
  return {
    clientId: id,
    clientSecrets: clientSecrets.filter(secret => secret !== undefined),
    staticAccessToken,
    ca: trusted,
  }
}

function requireToken(token: Secret): Secret {
  if (TOKEN.test(token.expose())) return token
  throw new Mistake('is not an access token: expected at most 16384 visible ASCII characters')
}

async function readAuthorities(ca: string, { readFile, folder }: ProviderParts): Promise<string> {
  const pem = ca.includes('-----BEGIN') ? ca : await readText(readFile, resolve(folder, ca), PEM_BYTES_MAX)
  requireAuthorities(pem)
  return pem
}
