import type { Consents } from './consents.ts'
import type { Dialect } from './dialect.ts'
import { SandboxError } from './errors.ts'
import type { Realm } from './realm.ts'

/** One dialect's server. */
export interface Site {
  readonly dialect: Dialect
  readonly realm: Realm
  readonly consents: Consents
}

/** @throws SandboxError `not_found` */
export function findSite(sites: ReadonlyMap<string, Site>, id: string): Site {
  const site = sites.get(id)
  if (site !== undefined) return site
  throw new SandboxError('not_found', `no dialect "${id}"; there are ${[...sites.keys()].join(', ')}`)
}
