import { type Store, StoreError } from '../../src/store/store.ts'
import { memoryAudit } from './memory-audit.ts'
import { memoryConnectionReads } from './memory-connection-reads.ts'
import { memoryConnectionWrites } from './memory-connection-writes.ts'
import { memoryConsents } from './memory-consents.ts'
import { memoryKeys } from './memory-keys.ts'
import { memoryRecords } from './memory-records.ts'
import { emptyTables, type Tell } from './memory-tables.ts'

/**
 * A store in memory that several replicas share and that outlives each of them; for simulations. It changes
 * rows by the functions that SQLite's store uses and fulfils the same contract. Making and opening one costs
 * microseconds. Everything happens within the call; only the answer comes later.
 */
export interface MemoryStore {
  /**
   * A view for one process. What is written through it is told, within the call, to the listeners of views with
   * another writer. Closing a view ends its listeners and nothing else.
   */
  open(writer: string): Store
}

/** Makes an empty store. */
export function createMemoryStore(): MemoryStore {
  const tables = emptyTables()
  const listeners = new Set<{ readonly writer: string; readonly heard: Tell }>()
  return {
    open(writer) {
      const own = new Set<() => void>()
      const tell: Tell = name => {
        for (const listener of listeners) if (listener.writer !== writer) listener.heard(name)
      }
      const methods = {
        ...memoryConnectionReads(tables),
        ...memoryConnectionWrites(tables, tell),
        ...memoryConsents(tables),
        ...memoryRecords(tables),
        ...memoryKeys(tables),
        ...memoryAudit(tables),
      }
      let open = true
      return {
        ...withPromises(methods, () => open),
        onForeignChange(heard) {
          const listener = { writer, heard }
          const end = () => {
            listeners.delete(listener)
            own.delete(end)
          }
          listeners.add(listener)
          own.add(end)
          return end
        },
        async close() {
          open = false
          for (const end of own) end()
        },
      }
    },
  }
}

type Promised<Methods> = {
  readonly [Name in keyof Methods]: Methods[Name] extends (...input: infer Input) => infer Output
    ? (...input: Input) => Promise<Output>
    : never
}

function withPromises<Methods extends object>(methods: Methods, isOpen: () => boolean): Promised<Methods> {
  const faces = Object.entries(methods).map(([name, method]) => [
    name,
    async (...input: unknown[]) => {
      if (!isOpen()) throw new StoreError('unavailable', 'the store is closed')
      return method(...input)
    },
  ])
  return Object.fromEntries(faces)
}
