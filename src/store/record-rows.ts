/** One seed of the keyset, wrapped by the root key. */
export interface KeyRow {
  /** 8 bytes as lower-case hex. */
  readonly kid: string
  /** `seal` keys seal records; the one `fingerprint` key names tokens and is never rotated. */
  readonly purpose: 'seal' | 'fingerprint'
  readonly wrappedSeed: Uint8Array
  /** Fingerprint of the root key that wraps it. */
  readonly rootFingerprint: string
  readonly state: 'pending' | 'primary' | 'active' | 'retired'
  readonly createdAt: number
}

/** One hand-out of an access token to a caller. */
export interface Release {
  readonly caller: string
  readonly authentication: string
  readonly connectionId: string
  readonly provider: string
  readonly account: string
  readonly version: string
  /** Keyed fingerprint of the access token. */
  readonly fingerprint: string
  readonly at: number
  /** How many hand-outs this entry stands for, at least 1. */
  readonly count: number
}

/** All hand-outs of one version to one caller. */
export interface ReleaseRow extends Omit<Release, 'at'> {
  readonly firstAt: number
  readonly lastAt: number
}
