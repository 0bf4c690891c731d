import { createHash } from 'node:crypto'
import { STYLESHEET } from './pages/stylesheet.ts'

/** Seconds for which a browser insists on https once it has seen it: one year, the usual minimum for trust. */
const HSTS_SECONDS = 365 * 24 * 3600

/** No script, no images, no frames: the one stylesheet, known by its hash, and forms to ourselves. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLESHEET).digest('base64')}'`,
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ')

/**
 * The headers that stand on every answer of a listener, errors of the parser and the framework included.
 *
 * @param https whether browsers reach the listener by https; only then may it promise to stay there. Subdomains
 *              are left out of the promise: they may belong to somebody else
 */
export function securityHeaders(https: boolean): Readonly<Record<string, string>> {
  return Object.freeze({
    'cache-control': 'no-store',
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    ...(https && { 'strict-transport-security': `max-age=${HSTS_SECONDS}` }),
  })
}
