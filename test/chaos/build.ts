import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { TestProject } from 'vitest/node'
import { runProgram } from '../interop/run-program.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** Builds the program once for all files, in a folder of its own: somebody may be using the repository's `dist`. */
export default async function build(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'token-broker-chaos-build-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    const dist = join(folder, 'dist')
    const tsc = join(ROOT, 'node_modules/.bin/tsc')
    const { exitCode, stdout } = await runProgram(tsc, ['-p', join(ROOT, 'src'), '--outDir', dist])
    if (exitCode !== 0) throw new Error(`the program does not compile:\n${stdout}`)
    await cp(join(ROOT, 'src/gen/descriptor.binpb'), join(dist, 'gen/descriptor.binpb'))
    await cp(join(ROOT, 'package.json'), join(folder, 'package.json'))
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
    project.provide('built', { main: join(dist, 'main.js'), compileCache: join(folder, 'compile-cache') })
    return remove
  } catch (error) {
    await remove()
    throw error
  }
}
