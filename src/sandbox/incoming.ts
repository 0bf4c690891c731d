import formbody from '@fastify/formbody'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { DialectRequest, Parameters } from './request.ts'

/** Bytes of a request's body: a token request is below 4 KiB, a canned answer below 64 KiB. */
export const BODY_BYTES_MAX = 256 * 1024

/**
 * Reads forms and JSON, and lets every other body pass unread, so that a dialect can refuse it in its own
 * words.
 */
export function readBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.register(formbody, { bodyLimit: BODY_BYTES_MAX })
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string', bodyLimit: BODY_BYTES_MAX },
    (_request, body, done) => done(null, parseJson(String(body))),
  )
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_BYTES_MAX }, (_request, _body, done) =>
    done(null, undefined),
  )
}

/** undefined for what is not a JSON object. */
function parseJson(text: string): Parameters | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isParameters(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isParameters(value: unknown): value is Parameters {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The request as dialects read it. */
export function readRequest(request: FastifyRequest): DialectRequest {
  const { method, query, body } = request
  return {
    method,
    headers: singleHeaders(request),
    query: isParameters(query) ? query : {},
    encoding: encodingOf(request),
    body: isParameters(body) ? body : {},
  }
}

function singleHeaders({ headers }: FastifyRequest): DialectRequest['headers'] {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  )
}

function encodingOf({ headers, body }: FastifyRequest): DialectRequest['encoding'] {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type === undefined) return 'none'
  if (!isParameters(body)) return 'other'
  return type === 'application/json' ? 'json' : 'form'
}
