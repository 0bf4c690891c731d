import { z } from 'zod'
import { isLoopback } from '../loopback.ts'
import { Refusal, SandboxError } from './errors.ts'
import { parse } from './parse.ts'

/** Stands in `redirectUris` for every http or https URL on this machine, whatever its port and path. */
const LOOPBACK = 'loopback'
/** Registrations: far more than one broker has providers. */
const CLIENTS_MAX = 1_000

const clientSchema = z.strictObject({
  clientId: z.string().min(1).max(255),
  /** null = a public client, which authenticates by nothing and must use PKCE. */
  clientSecret: z.string().min(1).max(1024).nullable(),
  /** Exact URLs; `loopback` stands for any URL on this machine. */
  redirectUris: z
    .array(
      z
        .string()
        .max(2048)
        .refine(isRegistrable, 'expected an http or https URL without fragment, or "loopback"'),
    )
    .max(100)
    .default([LOOPBACK]),
})

/** One registered client; it is known to every dialect. */
export type Client = Readonly<z.output<typeof clientSchema>>
/** The same as it is registered. */
export type ClientInput = Readonly<z.input<typeof clientSchema>>

/** The client that is registered from the start. */
export const DEFAULT_CLIENT: Client = {
  clientId: 'sandbox-client',
  clientSecret: 'sandbox-secret',
  redirectUris: [LOOPBACK],
}

/** What a request says about who sent it. */
export interface Credentials {
  readonly clientId?: string
  readonly clientSecret?: string
}

/** The registered clients. */
export interface Clients {
  list(): readonly Client[]
  get(clientId: string): Client | undefined
  /** @throws SandboxError `not_found` */
  need(clientId: string): Client
  /**
   * Registers a client, or replaces its secret and redirect URIs.
   *
   * @throws SandboxError `invalid`
   */
  register(client: unknown): Client
  /** @throws Refusal `invalid_client` (RFC 6749 section 3.2.1) */
  authenticate(credentials: Credentials): Client
  /** Back to those of the start. */
  reset(): void
}

/** @param initial those beside {@link DEFAULT_CLIENT} */
export function createClients(initial: readonly unknown[]): Clients {
  const clients = new Map<string, Client>()
  const register = (input: unknown) => {
    const client = parseClient(input)
    if (!clients.has(client.clientId) && clients.size >= CLIENTS_MAX) {
      throw new SandboxError('invalid', `there are ${CLIENTS_MAX} clients already; reset the sandbox first`)
    }
    clients.set(client.clientId, client)
    return client
  }
  const reset = () => {
    clients.clear()
    for (const client of [DEFAULT_CLIENT, ...initial]) register(client)
  }
  reset()

  return {
    list: () => [...clients.values()],
    get: clientId => clients.get(clientId),
    need(clientId) {
      const client = clients.get(clientId)
      if (client === undefined)
        throw new SandboxError('not_found', `no client "${clientId}"; register it first`)
      return client
    },
    register,
    authenticate({ clientId, clientSecret }) {
      const client = clients.get(clientId ?? '')
      if (client === undefined) throw new Refusal('invalid_client', 'no such client')
      if (clientSecret !== (client.clientSecret ?? undefined)) {
        throw new Refusal('invalid_client', 'the client secret is wrong')
      }
      return client
    },
    reset,
  }
}

/** @throws SandboxError `invalid`, naming the field */
export function parseClient(input: unknown): Client {
  return parse(clientSchema, input)
}

/**
 * Finds where an authorization request wants its answer. The comparison is exact (RFC 9700 section 2.1); a
 * request may leave it out if the client registered one URL only.
 *
 * @returns undefined if the client registered no such place, and nothing may be sent there
 */
export function redirectUriFor(client: Client, asked: string | undefined): string | undefined {
  const [only, ...others] = client.redirectUris
  if (asked === undefined) return others.length === 0 && only !== LOOPBACK ? only : undefined
  if (client.redirectUris.includes(asked) && asked !== LOOPBACK) return asked
  return client.redirectUris.includes(LOOPBACK) && isLoopbackUrl(asked) ? asked : undefined
}

function isRegistrable(text: string): boolean {
  return text === LOOPBACK || webUrl(text) !== undefined
}

function isLoopbackUrl(text: string): boolean {
  const url = webUrl(text)
  return url !== undefined && isLoopback(url.hostname)
}

/** Parses a URL that may stand in a `Location` header; the parser alone would forgive line breaks. */
function webUrl(text: string): URL | undefined {
  if (!/^https?:\/\/[\x21-\x7e]+$/i.test(text) || !URL.canParse(text)) return undefined
  const url = new URL(text)
  return text.includes('#') || url.username !== '' || url.password !== '' ? undefined : url
}
