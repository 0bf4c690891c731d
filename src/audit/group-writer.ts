import { AuditError } from './audit.ts'

/**
 * Longest wait for one record. A store that hangs is away, and callers are told so within a second: the rest of it is for
 * what stands around the wait on a busy machine.
 */
export const WRITE_MS_MAX = 800
/** Records that may wait for the write in flight; more are refused at once. About 5 MiB. */
const WAITING_MAX = 10_000

/** What grouping writes needs. */
export interface GroupWriterPorts<Item> {
  /** Writes all of a batch durably, or rejects having written nothing. */
  readonly write: (items: readonly Item[]) => Promise<void>
  readonly schedule: (ms: number, callback: () => void) => () => void
}

/** Writes one item together with those that came meanwhile. @throws AuditError */
export type GroupWriter<Item> = (item: Item) => Promise<void>

interface Waiting<Item> {
  readonly item: Item
  readonly settle: PromiseWithResolvers<void>
}

/**
 * Groups writes: one at a time, each with all that has come in while the last one took. Whoever has waited too long is
 * told so, and what was not begun by then is not written.
 */
export function createGroupWriter<Item>({ write, schedule }: GroupWriterPorts<Item>): GroupWriter<Item> {
  const waiting = new Set<Waiting<Item>>()
  let busy = false

  async function writeAll(): Promise<void> {
    busy = true
    while (waiting.size > 0) {
      // What arrives within one turn of the event loop shares a commit.
      await Promise.resolve()
      const batch = [...waiting]
      waiting.clear()
      await write(batch.map(({ item }) => item)).then(
        () => batch.forEach(({ settle }) => void settle.resolve()),
        (cause: unknown) => batch.forEach(({ settle }) => void settle.reject(new AuditError({ cause }))),
      )
    }
    busy = false
  }

  return async item => {
    if (waiting.size >= WAITING_MAX) throw new AuditError({ cause: new Error('too many records wait') })
    const entry = { item, settle: Promise.withResolvers<void>() }
    waiting.add(entry)
    const cancel = schedule(WRITE_MS_MAX, () => {
      waiting.delete(entry)
      const cause = new Error(`the store did not answer within ${WRITE_MS_MAX} ms`)
      entry.settle.reject(new AuditError({ cause }))
    })
    if (!busy) void writeAll()
    try {
      await entry.settle.promise
    } finally {
      cancel()
    }
  }
}
