import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runProgram } from '../interop/run-program.ts'

/** Debian has one folder per architecture; the variant for programs with threads. */
const LIBRARIES = '/usr/lib'
const FAKETIME = 'faketime/libfaketimeMT.so.1'

/** Debian's libfaketime; undefined if it is not installed. */
export function faketimeLibrary(): string | undefined {
  const folders = existsSync(LIBRARIES) ? readdirSync(LIBRARIES) : []
  return folders.map(folder => join(LIBRARIES, folder, FAKETIME)).find(path => existsSync(path))
}

/** For the title of a test: how to get what it lacks. */
export function skipped(why: string | undefined): string {
  return why === undefined ? '' : ` (not run: ${why})`
}

/**
 * Why strace, which `npm ci` does not install, cannot be used; undefined = it can. Finds out by using it: a container may have the program and forbid what it does.
 */
export async function missingStrace(): Promise<string | undefined> {
  const { exitCode } = await run('strace', ['-e', 'inject=getpid:error=EIO', 'true'])
  if (exitCode === 0) return undefined
  return exitCode === undefined ? 'install strace' : 'strace may not trace here'
}

export async function missingFaketime(): Promise<string | undefined> {
  return faketimeLibrary() === undefined ? 'install libfaketime' : undefined
}

export async function missingTmpfs(): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'token-broker-chaos-mount-'))
  try {
    const { exitCode } = await run('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder])
    if (exitCode !== 0) return 'mounting a tmpfs needs root'
    await run('umount', [folder])
    return undefined
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Absent exit code: there is no such program. */
async function run(file: string, args: readonly string[]): Promise<{ exitCode?: number | null }> {
  try {
    return await runProgram(file, args)
  } catch {
    return {}
  }
}
