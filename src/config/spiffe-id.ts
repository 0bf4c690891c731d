import { Mistake } from './mistake.ts'

/** SPIFFE-ID section 2.3. */
const LENGTH_MAX = 2_048
const TRUST_DOMAIN_LENGTH_MAX = 255
const SPIFFE_ID = /^spiffe:\/\/(?<trustDomain>[a-z0-9._-]+)(?<path>(?:\/[A-Za-z0-9._-]+)*)$/

/**
 * Reads the SPIFFE ID of a workload, `spiffe://example.org/billing`.
 *
 * @throws Mistake
 * @see https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE-ID.md
 */
export function parseSpiffeId(written: string): string {
  if (!isWorkload(written)) {
    throw new Mistake('expected the SPIFFE ID of a workload such as spiffe://example.org/billing')
  }
  return written
}

/** Whether a text is the SPIFFE ID of a workload; one without a path is that of the whole trust domain. */
export function isWorkload(text: string): boolean {
  const { trustDomain, path } = SPIFFE_ID.exec(text)?.groups ?? {}
  if (trustDomain === undefined || path === undefined || path === '') return false
  return (
    text.length <= LENGTH_MAX &&
    trustDomain.length <= TRUST_DOMAIN_LENGTH_MAX &&
    !path.split('/').some(segment => segment === '.' || segment === '..')
  )
}

/** `spiffe://example.org` of an ID, or of the beginning of IDs; undefined if it is none. */
export function trustDomainOf(text: string): string | undefined {
  return /^spiffe:\/\/[a-z0-9._-]{1,255}(?=\/)/.exec(text)?.[0]
}
