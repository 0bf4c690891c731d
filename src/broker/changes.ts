import type { ConnectionName } from './broker.ts'
import { keyOf } from './connection.ts'

/**
 * Tells who listens that a connection may be another than before: connected, refreshed, failing, expired, gone.
 * It says which, never what: whoever is told looks for itself, so that nobody is ever told something old.
 *
 * Listeners are called at once, in no particular order, and must neither throw nor take long.
 */
export interface Changes {
  publish(name: ConnectionName): void
  /** Listens to one connection, which need not exist; the returned function ends it. */
  watch(name: ConnectionName, listener: () => void): () => void
  /** Listens to all connections; the returned function ends it. */
  watchAll(listener: (name: ConnectionName) => void): () => void
}

/** Creates the bus; nobody listens yet. */
export function createChanges(): Changes {
  const listeners = new Map<string, Set<() => void>>()
  const listenersToAll = new Set<(name: ConnectionName) => void>()

  return {
    publish(name) {
      for (const listener of listeners.get(keyOf(name)) ?? []) listener()
      for (const listener of listenersToAll) listener(name)
    },
    watch(name, listener) {
      const key = keyOf(name)
      const own = () => listener()
      const together = listeners.get(key) ?? new Set()
      listeners.set(key, together.add(own))
      return () => {
        together.delete(own)
        if (together.size === 0 && listeners.get(key) === together) listeners.delete(key)
      }
    },
    watchAll(listener) {
      const own = (name: ConnectionName) => listener(name)
      listenersToAll.add(own)
      return () => void listenersToAll.delete(own)
    },
  }
}
