import { isIP } from 'node:net'
import { isLoopback } from '../loopback.ts'
import { createNetworks, forbiddenPurpose } from '../special-address.ts'
import { Mistake } from './mistake.ts'

/** Stands in for a `{placeholder}` of a definition while a URL is checked. */
const ANY = 'x'

/**
 * Reads a URL below which paths are put. Answers it normalized and without a trailing slash.
 *
 * @throws Mistake unless it is https, or http of loopback, without query, fragment and user
 */
export function parseBaseUrl(written: string): string {
  const url = parseSecureUrl(written)
  if (/[?#]/.test(written)) throw new Mistake('expected a URL without query and fragment')
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '')
}

/**
 * Checks a URL of a definition. One that starts with a placeholder is known only when it is used.
 *
 * @throws Mistake unless it is https, or http of loopback
 */
export function checkEndpoint(written: string): void {
  if (!written.startsWith('{')) parseSecureUrl(written.replaceAll(/\{\w+\}/g, ANY))
}

/** This machine may stand in a URL as it is. */
const LOOPBACK = ['127.0.0.0/8', '::1']

/**
 * Checks that the broker would connect to a URL's host, if that is an address; a name is judged when it is used.
 *
 * @param networks what the provider's `allow_networks` names
 * @throws Mistake if it is not on the public internet, this machine or one of the networks
 */
export function checkAddress(written: string, networks: readonly string[]): void {
  const host = URL.parse(written.replaceAll(/\{\w+\}/g, ANY))?.hostname.replace(/^\[|\]$/g, '') ?? ''
  if (isIP(host) === 0) return
  const purpose = forbiddenPurpose(host, createNetworks([...LOOPBACK, ...networks]))
  if (purpose === undefined) return
  throw new Mistake(
    `${host} is not on the public internet (${purpose}); name it in allow_networks of the provider if that is meant`,
  )
}

/** @throws Mistake unless it is https, or http of loopback, without user */
export function parseSecureUrl(written: string): URL {
  const url = URL.parse(written)
  if (url === null || !/^https?:\/\/[^/]/i.test(written)) {
    throw new Mistake('expected a URL such as https://broker.example.com')
  }
  if (url.username !== '' || url.password !== '')
    throw new Mistake('expected a URL without user and password')
  if (url.protocol !== 'https:' && !isLoopback(url.hostname)) {
    throw new Mistake('must be https; plain http is only for localhost')
  }
  return url
}
