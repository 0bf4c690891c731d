import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { noteFolder } from '../canaries.ts'

/** A new directory that is removed when the test ends. */
export function tempDir(): string {
  const path = mkdtempSync(join(tmpdir(), 'token-broker-store-'))
  onTestFinished(() => {
    noteFolder(path)
    rmSync(path, { recursive: true, force: true })
  })
  return path
}

/** The names of the files of a directory that contain those bytes. */
export function filesContaining(directory: string, needle: Buffer): string[] {
  return readdirSync(directory).filter(name => readFileSync(join(directory, name)).includes(needle))
}
