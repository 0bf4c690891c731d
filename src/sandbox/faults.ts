import type { Operation } from './dialect.ts'
import { SandboxError } from './errors.ts'
import { type FaultRule, parseFault } from './fault.ts'

/** Faults that can wait at once; a test needs a handful. */
const FAULTS_MAX = 1_000

/** A fault that waits for requests. */
export type Fault = FaultRule & {
  readonly id: string
  /** How many more requests it will be put upon; null = until it is cleared. */
  readonly left: number | null
}

/** The faults that are switched on. */
export interface Faults {
  /**
   * Switches one on.
   *
   * @throws SandboxError `invalid`
   */
  add(rule: unknown): Fault
  /** Oldest first. */
  list(): readonly Fault[]
  /** Takes the oldest fault that fits a request and counts it. */
  take(dialect: string, operation: Operation, clientId: string | undefined): Fault | undefined
  /**
   * Switches one off, or all.
   *
   * @throws SandboxError `not_found`
   */
  clear(id?: string): void
  /** Switches all off and counts ids anew. */
  reset(): void
}

export function createFaults(): Faults {
  const faults = new Map<string, Fault>()
  let added = 0

  return {
    add(input) {
      const rule = parseFault(input)
      if (faults.size >= FAULTS_MAX) {
        throw new SandboxError('invalid', `there are ${FAULTS_MAX} faults already; clear some first`)
      }
      added += 1
      const fault = { ...rule, id: `fault-${added}`, left: rule.times ?? null }
      faults.set(fault.id, fault)
      return fault
    },
    list: () => [...faults.values()],
    take(dialect, operation, clientId) {
      const fault = [...faults.values()].find(candidate => fits(candidate, dialect, operation, clientId))
      if (fault === undefined || fault.left === null) return fault
      if (fault.left === 1) faults.delete(fault.id)
      else faults.set(fault.id, { ...fault, left: fault.left - 1 })
      return fault
    },
    clear(id) {
      if (id === undefined) return faults.clear()
      if (!faults.delete(id)) throw new SandboxError('not_found', `no fault "${id}"`)
    },
    reset() {
      faults.clear()
      added = 0
    },
  }
}

function fits(
  fault: FaultRule,
  dialect: string,
  operation: Operation,
  clientId: string | undefined,
): boolean {
  return (
    fault.operation === operation &&
    (fault.dialect === undefined || fault.dialect === dialect) &&
    (fault.clientId === undefined || fault.clientId === clientId)
  )
}
