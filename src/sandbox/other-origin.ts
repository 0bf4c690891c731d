/**
 * The same server under another name, which is another origin and another site to a browser:
 * `localhost` for an address, `127.0.0.1` for `localhost`.
 *
 * @param origin for example `http://127.0.0.1:8087`
 */
export function otherOrigin(origin: string): string {
  const url = new URL(origin)
  url.hostname = url.hostname === 'localhost' ? '127.0.0.1' : 'localhost'
  return url.origin
}
