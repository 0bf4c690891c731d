interface Entry {
  readonly value: string
  readonly metadata: unknown
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

interface PutOptions {
  /** Seconds since the epoch. */
  readonly expiration?: number
  /** Seconds. */
  readonly expirationTtl?: number
  readonly metadata?: unknown
}

/** As much of Workers KV as one authorization server needs, in memory and never stale. */
export interface KeyValue {
  get(key: string, options?: { readonly type?: 'json' | 'text' }): Promise<unknown>
  put(key: string, value: string, options?: PutOptions): Promise<void>
  delete(key: string): Promise<void>
  /** All keys at once, whatever page was asked for. */
  list(options?: { readonly prefix?: string }): Promise<{
    readonly keys: readonly { readonly name: string; readonly metadata: unknown }[]
    readonly list_complete: true
  }>
}

/** Creates an empty one. */
export function createKeyValue(): KeyValue {
  const entries = new Map<string, Entry>()

  function living(key: string): Entry | undefined {
    const entry = entries.get(key)
    return entry !== undefined && Date.now() < entry.expiresAt ? entry : undefined
  }

  return {
    async get(key, { type } = {}) {
      const entry = living(key)
      if (entry === undefined) return null
      return type === 'json' ? JSON.parse(entry.value) : entry.value
    },
    async put(key, value, { expiration, expirationTtl, metadata = null } = {}) {
      const stated = expiration === undefined ? undefined : expiration * 1000
      const counted = expirationTtl === undefined ? undefined : Date.now() + expirationTtl * 1000
      entries.set(key, { value, metadata, expiresAt: stated ?? counted ?? Number.POSITIVE_INFINITY })
    },
    async delete(key) {
      entries.delete(key)
    },
    async list({ prefix = '' } = {}) {
      const names = [...entries.keys()].filter(name => name.startsWith(prefix) && living(name) !== undefined)
      const keys = names.map(name => ({ name, metadata: entries.get(name)?.metadata }))
      return { keys, list_complete: true }
    },
  }
}
