import { ConnectionState, type ConnectionStatus } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import type { Program } from './program.ts'
import { until } from './until.ts'

/** Whether a human has to consent again. */
export function isDead({ state }: ConnectionStatus): boolean {
  return state === ConnectionState.REAUTH_REQUIRED
}

/** The accounts of which the broker says so, sorted. */
export async function deadOf(program: Program): Promise<string[]> {
  const statuses = await program.statuses()
  return [...statuses.values()]
    .filter(isDead)
    .map(({ account }) => account)
    .sort()
}

/** Whether every outcome is known, and the last refresh of every connection that is not given up went well. */
export async function isAllSettled(program: Program): Promise<boolean> {
  const statuses = [...(await program.statuses()).values()]
  return statuses.every(
    status =>
      isDead(status) || (status.outcomeUnknownSince === undefined && status.consecutiveFailures === 0),
  )
}

/** Waits for that. */
export async function untilSettled(program: Program, msMax: number): Promise<void> {
  await until('every outcome is known', msMax, () => isAllSettled(program))
}
