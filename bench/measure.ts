import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'

const ROUND_MS = 2_000
const CALLERS = 16

/** Something that can be called. */
export interface Subject {
  readonly call: () => Promise<void>
  readonly stop: () => void
}

/** What one round showed. */
export interface Round {
  readonly perSecond: number
  readonly p99Ms: number
}

/** Calls a subject for a while, several at a time. */
export async function measure({ call }: Pick<Subject, 'call'>): Promise<Round> {
  const latencies: number[] = []
  const end = performance.now() + ROUND_MS
  const caller = async () => {
    while (performance.now() < end) {
      const start = performance.now()
      await call()
      latencies.push(performance.now() - start)
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  latencies.sort((a, b) => a - b)
  const p99Ms = latencies[Math.floor(latencies.length * 0.99)] ?? 0
  return { perSecond: (latencies.length / ROUND_MS) * 1_000, p99Ms }
}

/** The value in the middle. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
}

/** The first line that a process prints; what follows is thrown away. */
export async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('the process has no output')
  for await (const line of createInterface({ input: stdout })) {
    stdout.resume()
    return line
  }
  throw new Error('the process ended before it served')
}
