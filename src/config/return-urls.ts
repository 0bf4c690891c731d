import { z } from 'zod'
import { parseSecureUrl } from './base-url.ts'
import { Mistake } from './mistake.ts'
import { text } from './shape.ts'

/** One for each service that lets its users connect accounts, and a few for each of its environments. */
const RETURN_URLS_MAX = 100
/** What browsers and proxies take without doubt, with room for what is appended. */
const LENGTH_MAX = 1_024
/** What an id looks like: as the API has it, and as providers are called. */
const RETURN_ID = /^[a-z][a-z0-9-]{0,62}$/
/** What the broker appends. */
const RESERVED = ['consent_id', 'receipt', 'error']

/** `return_urls`. */
export const returnUrlsSchema = z
  .record(
    z.string().regex(RETURN_ID, 'expected 1 to 63 lower-case letters, digits and hyphens, a letter first'),
    text(parseReturnUrl),
  )
  .refine(urls => Object.keys(urls).length <= RETURN_URLS_MAX, {
    error: `expected at most ${RETURN_URLS_MAX} of them`,
  })

/**
 * Reads where a browser is sent with a receipt.
 *
 * @throws Mistake unless it is https, or http of loopback, without user and fragment
 */
function parseReturnUrl(written: string): string {
  const url = parseSecureUrl(written)
  if (written.length > LENGTH_MAX) throw new Mistake(`expected at most ${LENGTH_MAX} characters`)
  if (written.includes('#')) throw new Mistake('expected a URL without fragment')
  const taken = RESERVED.filter(name => url.searchParams.has(name))
  if (taken.length > 0) throw new Mistake(`has "${taken[0]}" in its query, which the broker adds itself`)
  return url.href
}
