import { runProgram } from './run-program.ts'

/** For each Debian package a command that succeeds where it is installed: a program and its arguments. */
export type Probes = Readonly<Record<string, readonly [file: string, ...args: string[]]>>

/**
 * The packages whose probe fails or cannot be started, in the order of the probes; a suite that lacks any is skipped.
 *
 * @param env decides by `CI` whether anything may be skipped
 * @throws Error which names them, where `CI` is set to anything but `false`: there a skipped suite would go unnoticed
 */
export async function missingPackages(
  probes: Probes,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<string[]> {
  const found = await Promise.all(
    Object.entries(probes).map(async ([name, probe]) => ({ name, isThere: await works(probe) })),
  )
  const missing = found.filter(({ isThere }) => !isThere).map(({ name }) => name)
  if (missing.length > 0 && isCi(env)) {
    throw new Error(`CI skips nothing; these Debian packages are missing: ${missing.join(' ')}`)
  }
  return missing
}

function works([file, ...args]: Probes[string]): Promise<boolean> {
  return runProgram(file, args).then(
    ({ exitCode }) => exitCode === 0,
    () => false,
  )
}

function isCi({ CI = '' }: Readonly<Record<string, string | undefined>>): boolean {
  return CI !== '' && CI !== 'false'
}
