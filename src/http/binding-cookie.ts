import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Random } from '../broker/ports.ts'
import { Secret } from '../secret.ts'

/** As strong as the state that it accompanies: 256 bits. */
const COOKIE_BYTES = 32
/** 32 bytes as base64url. */
const COOKIE_VALUE = /^[\w-]{43}$/
/** How long a browser may spend at the provider: as long as a state lives. */
const COOKIE_SECONDS = 600

/** The cookie that ties the way back from the provider to the browser that left. */
export interface BindingCookie {
  /** What the browser sent; undefined if nothing, or nothing that we could have set. */
  read(request: FastifyRequest): Secret | undefined
  /** Sets the cookie for ten minutes from now. A browser keeps its value, so that several consents work at once. */
  bind(request: FastifyRequest, reply: FastifyReply): Secret
}

/**
 * Creates the binding cookie.
 *
 * On https its `__Host-` name lets no other host, not even a subdomain or plain http, plant one (RFC 6265bis
 * section 4.1.3.2). Browsers refuse that name without `Secure`, so loopback http has to do with a plain one.
 */
export function createBindingCookie(https: boolean, random: Random): BindingCookie {
  const name = https ? '__Host-token-broker' : 'token-broker'

  function read(request: FastifyRequest): Secret | undefined {
    const value = request.cookies[name]
    return value !== undefined && COOKIE_VALUE.test(value) ? new Secret(value) : undefined
  }

  function bind(request: FastifyRequest, reply: FastifyReply): Secret {
    const value = read(request) ?? new Secret(random.token(COOKIE_BYTES))
    // Lax and not Strict: the callback is a navigation that another site causes.
    const attributes = {
      path: '/',
      maxAge: COOKIE_SECONDS,
      httpOnly: true,
      secure: https,
      sameSite: 'lax',
    } as const
    reply.setCookie(name, value.expose(), attributes)
    return value
  }

  return { read, bind }
}
