import type { ConfigPath, Report } from './problem.ts'

/**
 * A value of the configuration cannot be used. The message says what is wrong and what would be right, and
 * never holds the value of a secret; where the value stands is added by whoever knows.
 */
export class Mistake extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'Mistake'
  }
}

/** A {@link Mistake} that may pass by itself: a program that gave no secret this time. */
export class PassingMistake extends Mistake {}

/**
 * Runs an action and reports a {@link Mistake} instead of throwing it, so that the others are found too.
 *
 * @returns undefined after a report
 */
export async function attempt<T>(
  report: Report,
  path: ConfigPath,
  action: () => T | Promise<T>,
): Promise<T | undefined> {
  try {
    return await action()
  } catch (error) {
    if (!(error instanceof Mistake)) throw error
    report(path, error.message, error instanceof PassingMistake)
    return undefined
  }
}
