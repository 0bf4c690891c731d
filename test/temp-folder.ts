import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { noteFolder } from './canaries.ts'

const folders: string[] = []

// Each test file loads this module anew, so this runs after the last test of the file.
afterAll(() => {
  for (const folder of folders) {
    noteFolder(folder)
    rmSync(folder, { recursive: true, force: true })
  }
})

/** Makes a folder that is gone when the test file is through. */
export function tempFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `token-broker-${name}-`))
  folders.push(folder)
  return folder
}
