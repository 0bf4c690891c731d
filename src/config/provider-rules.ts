import type { Definition } from '../providers/definition.ts'
import { needsClientSecret } from './client-secret.ts'
import type { Report } from './problem.ts'
import type { WrittenProvider } from './provider-schema.ts'
import { didYouMean } from './suggest.ts'

/**
 * Checks what a provider says against its definition.
 *
 * @param report takes paths below the provider
 */
export function checkProvider(
  written: WrittenProvider,
  definition: Definition,
  redirectUri: string,
  report: Report,
): void {
  checkClient(written, definition, report)
  checkRedirect(written, definition, redirectUri, report)
  checkScopes(written, definition, report)
  checkVariables(written, definition, report)
}

function checkClient(written: WrittenProvider, definition: Definition, report: Report): void {
  const { client_id: id, client_secret: secret, static_access_token: token } = written
  if (id === undefined && secret !== undefined) {
    report(['client_id'], 'is missing; a client secret goes with a client id')
  } else if (id === undefined && token === undefined) {
    report(['client_id'], 'is missing; a provider needs a client id, or at least a static access token')
  } else if (id !== undefined && secret === undefined && needsClientSecret(definition)) {
    report(['client_secret'], 'is missing; without one the definition needs client_auth: none')
  }
}

/** That it is absolute and has no query and no fragment holds for every provider: its parts are checked for that. */
function checkRedirect(
  { client_id: id, endpoints_base: base, redirect_path: path }: WrittenProvider,
  { authorize, refresh }: Definition,
  redirectUri: string,
  report: Report,
): void {
  const { redirect_https_required: needsHttps, redirect_length_max: lengthMax } = authorize
  if (id === undefined || refresh.mode === 'client_credentials') return
  if (lengthMax !== undefined && redirectUri.length > lengthMax) {
    report(
      path === undefined ? [] : ['redirect_path'],
      `makes a redirect address of ${redirectUri.length} characters with public_url; the provider takes at most ${lengthMax}`,
    )
  }
  // A sandbox is on this machine, where https is not to be had.
  if (!needsHttps || base !== undefined || redirectUri.startsWith('https:')) return
  report([], `sends browsers back to https addresses only, and public_url makes it ${redirectUri}`)
}

/** A list that is written as one text is one scope that no provider knows. */
function checkScopes({ scopes }: WrittenProvider, { authorize }: Definition, report: Report): void {
  const separator = authorize.scope_separator
  for (const [index, scope] of scopes.entries()) {
    if (scope.includes(separator) && separator !== '') {
      report(['scopes', index], `holds "${separator}", which stands between scopes; write one item for each`)
    } else if (scopes.indexOf(scope) < index) {
      report(['scopes', index], 'stands twice in the list; remove one')
    }
  }
}

function checkVariables({ variables }: WrittenProvider, definition: Definition, report: Report): void {
  for (const [name, value] of Object.entries(variables)) {
    const declared = Object.hasOwn(definition.variables, name) ? definition.variables[name] : undefined
    if (declared === undefined) {
      const hint = didYouMean(name, Object.keys(definition.variables))
      report(['variables', name], `the definition has no such variable${hint}`)
    } else if (!new RegExp(`^(?:${declared.matches})$`).test(value)) {
      report(['variables', name], `does not match ${declared.matches}`)
    }
  }
}
