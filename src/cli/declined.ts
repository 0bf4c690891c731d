import { EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { note, printJson } from './output.ts'

/**
 * Says that nothing was done because a person answered no; `--json` has its one document then, too.
 *
 * @returns the exit code
 */
export function declined(json: boolean | undefined, io: Io): number {
  if (json) printJson(io, { error: { message: 'nothing was done' } })
  note(io, 'Nothing was done.')
  return EXIT.negative
}
