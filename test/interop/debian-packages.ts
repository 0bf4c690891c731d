import { runProgram } from './run-program.ts'

/** For each Debian package a command that succeeds where it is installed: a program and its arguments. */
export type Probes = Readonly<Record<string, readonly [file: string, ...args: string[]]>>

/** The packages whose probe fails or cannot be started, in the order of the probes. */
export async function missingPackages(probes: Probes): Promise<string[]> {
  const works = ([file, ...args]: Probes[string]) =>
    runProgram(file, args).then(
      ({ exitCode }) => exitCode === 0,
      () => false,
    )
  const found = await Promise.all(
    Object.entries(probes).map(async ([name, probe]) => ({ name, isThere: await works(probe) })),
  )
  return found.filter(({ isThere }) => !isThere).map(({ name }) => name)
}
