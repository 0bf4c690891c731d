import type { Base } from '../../src/store/rows.ts'
import type { Spool, SpooledCommit } from '../../src/store/spool.ts'
import type { Operations } from './operations.ts'

/** What a spool file holds; it survives its process. */
export interface SpoolFile {
  commits: readonly SpooledCommit[]
}

/** Creates the spool of one process over its file. It never fails: after the store it is the last resort. */
export function createSpoolPort(
  file: SpoolFile,
  { run }: Operations,
  onAppended: (commit: SpooledCommit) => void,
): Spool {
  return {
    append: commit =>
      run('spool append', async () => {
        file.commits = [...file.commits, commit]
        onAppended(commit)
      }),
    list: () => run('spool list', async () => ({ commits: file.commits, damaged: 0 })),
    remove: base =>
      run('spool remove', async () => {
        file.commits = file.commits.filter(commit => !isSame(commit.base, base))
      }),
    close: async () => {},
  }
}

function isSame(one: Base, other: Base): boolean {
  return one.id === other.id && one.grantEpoch === other.grantEpoch && one.counter === other.counter
}
