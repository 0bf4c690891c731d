/** The environment variables, as a plain value. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Takes the environment of this process. Nothing else in the program reads `process.env`. */
export function captureEnvironment(): Environment {
  return Object.freeze({ ...process.env })
}

/** The value of a variable; one that is set to nothing counts as unset, as compose files often do that. */
export function variable(env: Environment, name: string): string | undefined {
  return env[name] === '' ? undefined : env[name]
}
