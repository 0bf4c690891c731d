import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { GetAccessTokenRequest } from '../src/gen/tokenbroker/v1/token_broker.ts'

/**
 * GetAccessToken answered from memory (authenticated, authorized, audited) against a bare grpc-js echo of the
 * same request, in turn, one process each: `node bench/hot-read.ts`. Quote the ratio; times depend on the machine.
 */
const ROUNDS = 7
const ROUND_MS = 2_000
const CALLERS = 16
const METHOD = '/tokenbroker.v1.TokenBrokerService/GetAccessToken'
const MAIN = join(import.meta.dirname, '../src/main.ts')

interface Subject {
  readonly call: () => Promise<void>
  readonly stop: () => void
}

interface Round {
  readonly perSecond: number
  readonly p99Ms: number
}

const folder = mkdtempSync(join(tmpdir(), 'token-broker-bench-'))
const subjects = { broker: await startBroker(), echo: await startEcho() }
try {
  for (const subject of Object.values(subjects)) await measure(subject)
  const rounds: Record<keyof typeof subjects, Round>[] = []
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({ broker: await measure(subjects.broker), echo: await measure(subjects.echo) })
  }
  report(rounds)
} finally {
  for (const { stop } of Object.values(subjects)) stop()
  rmSync(folder, { recursive: true, force: true })
}

async function measure({ call }: Subject): Promise<Round> {
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

function report(rounds: readonly { readonly broker: Round; readonly echo: Round }[]): void {
  const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
  const ratios = rounds.map(({ broker, echo }) => broker.perSecond / echo.perSecond)
  const line = (name: 'broker' | 'echo') =>
    `${name.padEnd(6)}  ${median(rounds.map(round => round[name].perSecond)).toFixed(0)} calls/s, ` +
    `p99 ${median(rounds.map(round => round[name].p99Ms)).toFixed(1)} ms\n`
  process.stdout.write(line('broker') + line('echo'))
  const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`
  process.stdout.write(`broker / echo  ${median(ratios).toFixed(2)} (${spread}, ${ROUNDS} rounds)\n`)
}

async function startBroker(): Promise<Subject> {
  const env = {
    PATH: process.env.PATH,
    TOKEN_BROKER_DATA_DIR: folder,
    TOKEN_BROKER_GRPC: '127.0.0.1:0',
    TOKEN_BROKER_HTTP: '127.0.0.1:0',
    TOKEN_BROKER_ADMIN: '127.0.0.1:0',
    PINTEREST_ACCESS_TOKEN: 'bench',
  }
  const child = spawn(process.execPath, [MAIN, 'serve'], {
    env,
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const { grpc } = JSON.parse(await firstLine(child)) as { grpc: string[] }
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${readFileSync(join(folder, 'operator.token'), 'utf8').trim()}`)
  return subjectOf(child, grpc[0] ?? '', METHOD, metadata)
}

async function startEcho(): Promise<Subject> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'echo-server.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return subjectOf(child, `127.0.0.1:${(await firstLine(child)).trim()}`, '/bench.Echo/Echo', new Metadata())
}

async function firstLine({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('the process has no output')
  for await (const line of createInterface({ input: stdout })) {
    stdout.resume()
    return line
  }
  throw new Error('the process ended before it served')
}

function subjectOf(child: ChildProcess, address: string, path: string, metadata: Metadata): Subject {
  const client = new Client(address, credentials.createInsecure())
  const request = Buffer.from(
    GetAccessTokenRequest.encode(GetAccessTokenRequest.fromPartial({ provider: 'pinterest' })).finish(),
  )
  const bytes = (message: Buffer) => message
  return {
    call: () =>
      new Promise((fulfil, reject) => {
        client.makeUnaryRequest(path, bytes, bytes, request, metadata, error =>
          error ? reject(error) : fulfil(),
        )
      }),
    stop: () => {
      client.close()
      child.kill()
    },
  }
}
