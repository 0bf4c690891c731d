import type { Base } from '../../src/store/rows.ts'
import { type Spool, SpoolError, type SpooledCommit } from '../../src/store/spool.ts'

/** A spool in memory that outlives each process that opens it; for simulations. */
export interface MemorySpool {
  open(): Spool
}

/**
 * Makes an empty spool. Everything happens within the call; only the answer comes later.
 *
 * @param room how many commits it takes
 */
export function createMemorySpool(room = 1_024): MemorySpool {
  let commits: readonly SpooledCommit[] = []
  return {
    open() {
      let open = true
      function checkOpen(): void {
        if (!open) throw new SpoolError('unavailable', 'the spool is closed')
      }
      return {
        async append(commit) {
          checkOpen()
          if (commits.length === room)
            throw new SpoolError('full', 'the spool has no room for another commit')
          commits = [...commits, commit]
        },
        async list() {
          checkOpen()
          return { commits, damaged: 0 }
        },
        async remove(base) {
          checkOpen()
          commits = commits.filter(commit => !isSameBase(commit.base, base))
        },
        async close() {
          open = false
        },
      }
    },
  }
}

function isSameBase(left: Base, right: Base): boolean {
  return left.id === right.id && left.grantEpoch === right.grantEpoch && left.counter === right.counter
}
