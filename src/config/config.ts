import type { Provider } from '../providers/provider.ts'
import type { Secret } from '../secret.ts'

/** Everything that the broker is told from outside, checked, frozen, with secrets resolved (docs/configuration.md). */
export interface Config {
  readonly listen: {
    readonly grpc: readonly Listener[]
    readonly http: Listener
    readonly admin: Listener
  }
  /** Where browsers reach the consent listener, without a trailing slash. */
  readonly publicUrl: string
  /** Addresses or CIDR ranges whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[]
  /** Absolute. */
  readonly dataDir: string
  readonly store: 'sqlite'
  readonly rootKey: RootKeySource
  readonly providers: ReadonlyMap<string, Provider>
  readonly callers: readonly CallerConfig[]
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' }
}

/** One address to listen on. */
export interface Listener {
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  /** PEM texts; or `proxy`, TLS is ended outside; absent only on loopback. */
  readonly tls?: 'proxy' | { readonly cert: string; readonly key: Secret }
}

/**
 * Where the root key comes from: a file, which is created on first start if it is the default one, or a
 * value that an environment variable or a command has given.
 */
export type RootKeySource =
  | { readonly kind: 'file'; readonly path: string; readonly createIfMissing: boolean }
  | { readonly kind: 'value'; readonly value: Secret; readonly origin: string }

/** A caller that is known by a static token. */
export interface CallerConfig {
  readonly name: string
  /** Lower-case hex of the SHA-256 of the whole token. */
  readonly tokenSha256: string
  /** Milliseconds since the epoch after which the token is refused. Absent = never. */
  readonly expiresAtMs?: number
  readonly allow: readonly AllowRule[]
}

/** Grants every combination of its members. Entries are exact or end in `*`. */
export interface AllowRule {
  readonly providers: readonly string[]
  readonly accounts: readonly string[]
  /** RPC names without their service. */
  readonly methods: readonly string[]
}
