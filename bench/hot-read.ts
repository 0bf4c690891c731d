import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { GetAccessTokenRequest } from '../src/gen/tokenbroker/v1/token_broker.ts'
import { firstLine, measure, median, type Round, type Subject } from './measure.ts'

/**
 * GetAccessToken answered from memory (authenticated, authorized, audited) against a bare grpc-js echo of the
 * same request, in turn, one process each: `node bench/hot-read.ts`. Quote the ratio; times depend on the machine.
 */
const ROUNDS = 7
const METHOD = '/tokenbroker.v1.TokenBrokerService/GetAccessToken'
const MAIN = join(import.meta.dirname, '../src/main.ts')

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

function report(rounds: readonly { readonly broker: Round; readonly echo: Round }[]): void {
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
