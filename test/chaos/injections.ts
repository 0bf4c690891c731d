import type { TracedCall } from './strace.ts'

/** One fault at one system call. */
export interface Injection {
  readonly name: string
  /** Which call of that name, in its thread, from 1. */
  readonly number: number
  readonly fault: 'SIGKILL' | 'ENOSPC' | 'EIO'
}

/** Calls by which something becomes durable, leaves or arrives. */
const WRITES = ['write', 'writev', 'pwrite64', 'pwritev', 'ftruncate', 'fallocate', 'unlink', 'rename']
const SYNCS = ['fsync', 'fdatasync']
const READS = ['read', 'readv', 'pread64']
const SOCKETS = ['connect', 'sendto', 'sendmsg', 'recvfrom', 'recvmsg']

/** Which calls each fault is put upon; a process can be killed at any of them. */
const CALLS_OF: Readonly<Record<Injection['fault'], readonly string[]>> = {
  SIGKILL: [...WRITES, ...SYNCS, ...READS, ...SOCKETS],
  ENOSPC: ['write', 'pwrite64', 'pwritev', 'ftruncate', 'fallocate'],
  EIO: [...WRITES, ...SYNCS, ...READS],
}

/** Every fault at every call that was seen. strace counts each thread by itself, so the busiest counts. */
export function injectionsInto(calls: readonly TracedCall[]): Injection[] {
  const perThread = new Map<string, number>()
  const most = new Map<string, number>()
  for (const { thread, name } of calls) {
    const count = (perThread.get(`${thread} ${name}`) ?? 0) + 1
    perThread.set(`${thread} ${name}`, count)
    most.set(name, Math.max(most.get(name) ?? 0, count))
  }
  return (['SIGKILL', 'ENOSPC', 'EIO'] as const).flatMap(fault =>
    [...most]
      .filter(([name]) => CALLS_OF[fault].includes(name))
      .flatMap(([name, count]) =>
        Array.from({ length: count }, (_, index) => ({ name, number: index + 1, fault })),
      ),
  )
}

/** Options of strace: all calls are traced; absent = nothing is put upon them. */
export function optionsFor(injection?: Injection): string[] {
  if (injection === undefined) return [`--trace=${CALLS_OF.SIGKILL.join(',')}`]
  const { name, number, fault } = injection
  const how = fault === 'SIGKILL' ? `signal=${fault}` : `error=${fault}`
  return [`--trace=${name}`, `--inject=${name}:${how}:when=${number}`]
}

/** Whether strace put an error upon that call. */
export function isInjected({ text }: TracedCall): boolean {
  return text.includes('(INJECTED)')
}
