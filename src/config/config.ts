import type { Provider } from '../providers/provider.ts'
import type { Secret } from '../secret.ts'

/** Everything that the broker is told from outside, checked, frozen, with secrets resolved (docs/configuration.md). */
export interface Config {
  readonly listen: {
    readonly grpc: readonly GrpcListener[]
    readonly http: Listener
    readonly admin: Listener
  }
  /** Where browsers reach the consent listener, without a trailing slash. */
  readonly publicUrl: string
  /** Addresses or CIDR ranges whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[]
  /** Where browsers go after a two-step consent, by the `return_id` of its link. */
  readonly returnUrls: ReadonlyMap<string, string>
  /** Absolute. */
  readonly dataDir: string
  readonly store: 'sqlite'
  readonly rootKey: RootKeySource
  /** The root key to change to. Absent = there is none. */
  readonly nextRootKey?: RootKeySource
  readonly providers: ReadonlyMap<string, Provider>
  readonly callers: readonly CallerConfig[]
  /** Whether the holder of `operator.token` in the data directory may do everything. */
  readonly operatorToken: 'on' | 'off'
  readonly audit: {
    /** How long records are kept, in milliseconds. */
    readonly retentionMs: number
    /** Where each record goes beside the store; an absolute path. Absent = nowhere. */
    readonly copy?: 'stdout' | { readonly file: string }
  }
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' }
}

/** One address to listen on. */
export interface Listener {
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  /** Or `proxy`, TLS is ended outside; absent only on loopback. */
  readonly tls?: 'proxy' | TlsMaterial
}

/** A Unix socket to listen on. */
export interface SocketListener {
  /** Absolute. */
  readonly socket: string
}

/** What the API listens on. */
export type GrpcListener = Listener | SocketListener

/** What a listener proves itself with, as PEM texts. */
export interface TlsMaterial {
  /** The server's certificate first, the chain below it. */
  readonly cert: string
  readonly key: Secret
  /** Certificate authorities whose client certificates are believed. Absent = none is asked for. */
  readonly clientCa?: string
  /** Absolute paths of the files that the texts are from, which may change. Absent = they never do. */
  readonly files?: TlsFiles
}

/** Absolute paths of PEM files. */
export interface TlsFiles {
  readonly cert: string
  readonly key: string
  readonly clientCa?: string
}

/**
 * Where the root key comes from: a file, which is created on first start if it is the default one, or a
 * value that an environment variable or a command has given.
 */
export type RootKeySource =
  | { readonly kind: 'file'; readonly path: string; readonly createIfMissing: boolean }
  | { readonly kind: 'value'; readonly value: Secret; readonly origin: string }

/** One that may call, and how it proves its name. */
export interface CallerConfig {
  readonly name: string
  readonly proof: CallerProof
  readonly allow: readonly AllowRule[]
  /** How many calls it may begin in a minute, streams among them. Absent = any number. */
  readonly callsPerMinute?: number
}

/** How a caller proves its name. */
export type CallerProof = StaticTokensProof | CertificateProof | JwtProof

/** By one of its static tokens; two are alive at once while one is replaced. */
export interface StaticTokensProof {
  readonly kind: 'static_token'
  /** At least one. */
  readonly tokens: readonly StaticToken[]
}

/** What is known of a static token. */
export interface StaticToken {
  /** Lower-case hex of the SHA-256 of the whole token. */
  readonly sha256: string
  /** Milliseconds since the epoch after which the token is refused. Absent = never. */
  readonly expiresAtMs?: number
}

/** By a client certificate that carries this one name. */
export interface CertificateProof {
  readonly kind: 'mtls'
  /** `spiffe://…`, a URI, or `dns:` and a name in lower case. */
  readonly identity: string
}

/** By a JSON Web Token of an issuer. */
export interface JwtProof {
  readonly kind: 'jwt'
  /** What `iss` has to be. Absent = tokens have none, and the SPIFFE trust domain of `subject` stands for it. */
  readonly issuer?: string
  /** What `aud` has to be or contain. */
  readonly audience: string
  /** What `sub` has to be; a trailing `*` matches any rest. */
  readonly subject: string
  readonly keys: JwksSource
  readonly algorithms: readonly string[]
  /** Milliseconds that may lie between `iat` and `exp` at most. */
  readonly maxLifetimeMs: number
  /** What the header `typ` has to be. Absent = nothing special: none, `JWT`, `JOSE` or `at+jwt`. */
  readonly typ?: string
  /** What further claims have to be, or contain if they are lists; by name, or by JSON pointer from `/` on. */
  readonly claims: ReadonlyMap<string, string | number | boolean>
}

/** Where the public keys of an issuer are read, as a JSON Web Key Set. */
export type JwksSource =
  | { readonly kind: 'file'; readonly path: string }
  | {
      readonly kind: 'url'
      /** https, or http of loopback. */
      readonly url: string
      /** PEM of the certificate authorities to trust instead of the system's. */
      readonly ca?: string
      /** Absolute path of a file with a bearer token to read them with, read each time. */
      readonly tokenFile?: string
      /** Addresses or CIDR ranges beyond the public internet in which they may be. Absent = none. */
      readonly allowNetworks?: readonly string[]
    }

/** Grants every combination of its members. Entries are exact or end in `*`. */
export interface AllowRule {
  readonly providers: readonly string[]
  readonly accounts: readonly string[]
  /** RPC names without their service, those of `roles` among them. */
  readonly methods: readonly string[]
  /** The roles that some of `methods` come from. Absent = none. */
  readonly roles?: readonly string[]
  /** The scopes that a call may name. Absent = any. */
  readonly scopes?: readonly string[]
}
