import type { Definition } from './definition.ts'

const ORIGIN = /^https?:\/\/[^/?#]+/

/**
 * Aims every URL of a definition at another server: the origin is replaced by `base`, whose own path is put
 * before the URL's path. The issuer moves too, so that discovery asks the same server.
 *
 * @param base an absolute URL without a trailing slash, for example `http://127.0.0.1:8087/pinterest`
 */
export function rebase(definition: Definition, base: string): Definition {
  const move = (url: string | undefined) => url?.replace(ORIGIN, base)
  const operations = Object.entries(definition.operations).map(([name, operation]) => [
    name,
    operation && { ...operation, url: move(operation.url) },
  ])
  return {
    ...definition,
    issuer: move(definition.issuer),
    authorize: { ...definition.authorize, url: move(definition.authorize.url) },
    operations: Object.fromEntries(operations),
    present: { ...definition.present, base_url: move(definition.present.base_url) },
  }
}
