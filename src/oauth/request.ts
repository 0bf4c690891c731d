import type { HttpRequest } from '../egress/http.ts'
import type { ClientAuth, Definition, Operation, OperationName } from '../providers/definition.ts'
import { Secret } from '../secret.ts'
import { fill, fillText, type Values } from './template.ts'

type Parameter = string | number | boolean | readonly (string | number | boolean)[]
type Parameters = Readonly<Record<string, Parameter>>

/** The operations that authenticate the client; the others send nothing but what `params` says. */
const AUTHENTICATED: ReadonlySet<OperationName> = new Set(['exchange', 'refresh', 'revoke', 'migrate'])

/**
 * Builds the request of one operation: `standard` parameters, renamed by `names`, with `params` laid over
 * them and the client authenticated as the definition says.
 *
 * @param standard what RFC 6749 or 7009 sends for this operation, by its standard names
 * @throws TemplateError if a placeholder has no value
 */
export function buildRequest(
  definition: Definition,
  name: OperationName,
  operation: Operation & { readonly url: string },
  standard: Parameters,
  values: Values,
): HttpRequest {
  const auth = AUTHENTICATED.has(name) ? (operation.client_auth ?? definition.client_auth) : undefined
  const parameters = {
    ...rename({ ...standard, ...bodyCredentials(auth, values) }, operation.names),
    ...fillParams(operation.params, values),
  }
  const headers: Record<string, string | Secret> = {
    accept: 'application/json',
    ...authorization(auth, values),
    ...fillHeaders(operation.headers, values),
  }
  return encode(operation, fill(operation.url, values), parameters, headers)
}

/** Lower-case names, placeholders filled. */
export function fillHeaders(
  headers: Readonly<Record<string, string>>,
  values: Values,
): Record<string, Secret> {
  return Object.fromEntries(
    Object.entries(headers).map(([header, template]) => [header.toLowerCase(), fill(template, values)]),
  )
}

function encode(
  { method, encoding }: Operation,
  url: Secret,
  parameters: Parameters,
  headers: Record<string, string | Secret>,
): HttpRequest {
  switch (encoding) {
    case 'form':
      headers['content-type'] = 'application/x-www-form-urlencoded'
      return { method, url, headers, body: new Secret(formOf(parameters).toString()) }
    case 'json':
      headers['content-type'] = 'application/json'
      return { method, url, headers, body: new Secret(JSON.stringify(parameters)) }
    case 'query':
      return { method, url: withQuery(url, parameters), headers }
    case 'none':
      return { method, url, headers }
  }
}

function formOf(parameters: Parameters): URLSearchParams {
  const form = new URLSearchParams()
  for (const [key, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) form.append(key, String(one))
  }
  return form
}

function withQuery(url: Secret, parameters: Parameters): Secret {
  const target = new URL(url.expose())
  for (const [key, value] of formOf(parameters)) target.searchParams.append(key, value)
  return new Secret(target.href)
}

function rename(parameters: Parameters, names: Readonly<Record<string, string | null>>): Parameters {
  const renamed = Object.entries(parameters).map(([name, value]) => [
    Object.hasOwn(names, name) ? names[name] : name,
    value,
  ])
  return Object.fromEntries(renamed.filter(([name]) => name !== null))
}

function fillParams(params: Operation['params'], values: Values): Parameters {
  const filled = Object.entries(params).map(([name, value]) => [
    name,
    typeof value === 'string' ? fillText(value, values) : value,
  ])
  return Object.fromEntries(filled)
}

/** RFC 6749 section 2.3.1: credentials in the body; a public client only names itself. */
function bodyCredentials(auth: ClientAuth | undefined, values: Values): Parameters {
  if (auth === 'body') {
    return { client_id: fillText('{client_id}', values), client_secret: fillText('{client_secret}', values) }
  }
  return auth === 'none' && values.client_id !== undefined
    ? { client_id: fillText('{client_id}', values) }
    : {}
}

function authorization(auth: ClientAuth | undefined, values: Values): Record<string, Secret> {
  if (typeof auth === 'object') return fillHeaders(auth.header, values)
  if (auth !== 'basic' && auth !== 'basic_secret_only') return {}
  // RFC 6749 section 2.3.1 form-encodes both halves before they are joined.
  const pair =
    auth === 'basic'
      ? `${formEncode(fillText('{client_id}', values))}:${formEncode(fillText('{client_secret}', values))}`
      : `${fillText('{client_secret}', values)}:`
  return { authorization: new Secret(`Basic ${Buffer.from(pair).toString('base64')}`) }
}

function formEncode(text: string): string {
  return new URLSearchParams({ x: text }).toString().slice(2)
}
