import { resolve } from 'node:path'
import type { SecretSource } from './secret-source.ts'
import type { Written } from './written.ts'

/** A file that the configuration names. */
export interface NamedFile {
  /** Absolute. */
  readonly path: string
  /**
   * - `root_key`: opens everything that is stored.
   * - `secret`: whoever reads it has what it protects.
   * - `trust`: no secret, but whoever writes it decides who is believed.
   */
  readonly holds: 'root_key' | 'secret' | 'trust'
}

/** Every file that the configuration reads something from, each once, whether or not it exists. */
export function namedFiles({ config, folder }: Pick<Written, 'config' | 'folder'>): NamedFile[] {
  const { listen, providers, callers, root_key: rootKey, root_key_next: nextRootKey } = config
  const clients = Object.values(providers)
  const tls = [...listen.grpc, listen.http, listen.admin].flatMap(listener =>
    typeof listener.tls === 'object' ? listener.tls : [],
  )
  const jwts = callers.flatMap(({ jwt }) => jwt ?? [])
  const secrets = [
    ...tls.map(({ key }) => key),
    ...jwts.map(jwt => jwt.jwks_token_file),
    ...clients.flatMap(provider =>
      filesOf([provider.client_id, provider.client_secret, provider.static_access_token].flat()),
    ),
  ]
  const trust = [
    ...tls.flatMap(({ cert, client_ca: clientCa }) => [cert, clientCa]),
    ...jwts.flatMap(jwt => [jwt.jwks_file, authoritiesFile(jwt.ca)]),
    ...clients.map(({ ca }) => authoritiesFile(ca)),
    ...filesOf(callers.flatMap(({ token_sha256: hashes }) => hashes)),
  ]
  const all = [
    ...named(trust, 'trust', folder),
    ...named(secrets, 'secret', folder),
    ...named(filesOf([rootKey, nextRootKey]), 'root_key', folder),
  ]
  return [...new Map(all.map(file => [file.path, file])).values()]
}

function filesOf(sources: readonly (SecretSource | string | undefined)[]): (string | undefined)[] {
  return sources.map(source => (typeof source === 'object' ? source.file : undefined))
}

/** The file that `ca` names; undefined if the authorities stand in the configuration itself, or there are none. */
export function authoritiesFile(ca: string | undefined): string | undefined {
  return ca?.includes('-----BEGIN') ? undefined : ca
}

function named(
  paths: readonly (string | undefined)[],
  holds: NamedFile['holds'],
  folder: string,
): NamedFile[] {
  return paths.flatMap(path => (path === undefined ? [] : { path: resolve(folder, path), holds }))
}
