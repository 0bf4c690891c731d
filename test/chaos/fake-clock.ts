import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Home } from './home.ts'
import { faketimeLibrary } from './tools.ts'

/** The wall clock of processes that are started with its environment. The monotonic one goes on undisturbed. */
export interface FakeClock {
  readonly env: Readonly<Record<string, string>>
  /** How far it is from the true time, as libfaketime writes it: `+10d`, `-1h`. Running processes see it at once. */
  set(offset: string): Promise<void>
}

/** The true time. */
export const TRUE_TIME = '+0'

/** Needs Debian's libfaketime. */
export async function createFakeClock({ folder }: Home): Promise<FakeClock> {
  const path = join(folder, 'clock')
  const set = async (offset: string) => {
    // It is read at every look at the clock, so it must never be half written.
    await writeFile(`${path}.new`, `${offset}\n`)
    await rename(`${path}.new`, path)
  }
  await set(TRUE_TIME)
  return {
    set,
    env: {
      LD_PRELOAD: faketimeLibrary() ?? '',
      FAKETIME_TIMESTAMP_FILE: path,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
  }
}
