import type { Provider } from '../../src/providers/provider.ts'
import { inMemory, openSqliteStore } from '../../src/store/sqlite.ts'
import { createMachine, type MachineOptions } from './machine.ts'

/** What a test may change about the one provider, `acme`. */
export type WorldOptions = Omit<MachineOptions, 'open'>

/** A broker over a real store, with a fake clock and a scripted authorization server. */
export async function createWorld(options: WorldOptions = {}) {
  const sqlite = await openSqliteStore({ path: inMemory })
  const { clock, server, ...machine } = createMachine({ ...options, open: () => sqlite })
  return {
    clock,
    server,
    /** Another process over the same store. */
    boot: (provider: Partial<Provider> = {}) => machine.boot({ provider }).broker,
    ...machine.boot(),
    store: sqlite,
  }
}
