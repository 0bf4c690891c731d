import { open } from 'node:fs/promises'
import { captureEnvironment } from './environment.ts'
import type { ReadFile } from './files.ts'
import type { ConfigParts } from './load.ts'
import { createRunCommand } from './run-command.ts'

/**
 * What a configuration is loaded with in a real process.
 *
 * @param argvPath what `--config` says
 */
export function systemConfigParts(argvPath?: string): ConfigParts {
  const env = captureEnvironment()
  return { argvPath, env, cwd: process.cwd(), readFile: readSystemFile, runCommand: createRunCommand(env) }
}

/** Reads a file of this machine. Pipes and `/dev/fd` have no size, so it is read and not asked. */
export const readSystemFile: ReadFile = async (path, bytesMax) => {
  const file = await open(path, 'r')
  const chunks: Buffer[] = []
  // The stream closes the file.
  for await (const chunk of file.createReadStream({ end: bytesMax })) chunks.push(chunk)
  return Buffer.concat(chunks)
}
