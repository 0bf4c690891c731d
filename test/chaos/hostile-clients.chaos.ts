import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { credentials } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TokenBrokerServiceClient } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { bearer, call } from '../api/running-server.ts'
import { tempFolder } from '../temp-folder.ts'
import { atMost } from './form.ts'
import { report } from './report.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ATTACKER = fileURLToPath(new URL('hostile-client.ts', import.meta.url))

/** How long each attack lasts. */
const ATTACK_MS = 2_000
/** Between two calls of the healthy client. */
const CALL_EVERY_MS = 20
const P99_MS_MAX = 500
/** Megabytes. */
const RSS_MB_MAX = 200
/**
 * More for who does not acknowledge the limit of metadata and sends Node's 64 KiB: values of headers lie outside of the
 * heap until they are collected, which V8 begins because of them at 64 MB, and more come until it is done.
 */
const UNACKNOWLEDGED = 'giant metadata, its limit not acknowledged'
const UNACKNOWLEDGED_MB_MAX = 128
/**
 * As in a container of 256 MB. Without a bound, Node takes what there is before it collects garbage, and what is seen
 * says nothing of what is needed.
 */
const NODE_OPTIONS = '--max-old-space-size=64 --max-semi-space-size=4'
/** Makes the allocator of glibc give back what it does not need; the Dockerfile sets it too, and explains it. */
const MALLOC = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_MMAP_THRESHOLD_: '65536',
}

/** What an attack has to have done to be one. */
const ATTACKS: readonly (readonly [attack: string, countMin: number])[] = [
  ['a bad gzip flag', 500],
  ['a length of 2 GB', 500],
  ['a gzip bomb', 5],
  ['an unknown method and a reset', 500],
  ['streams that are opened and left', 200],
  ['a rapid reset', 500],
  // Each lasts as long as the attack.
  ['a slow body', 0],
  ['a stranger with large messages', 50],
  ['a flood of pings', 1_000],
  ['a flood of settings', 1_000],
  ['a flood of continuations', 1_000],
  ['fifty thousand streams', 50_000],
  ['giant metadata', 500],
  [UNACKNOWLEDGED, 500],
]

interface Broker {
  readonly child: ChildProcess
  readonly port: number
  readonly token: string
  readonly client: TokenBrokerServiceClient
}

let broker: Broker
beforeAll(async () => {
  broker = await start()
}, 60_000)
afterAll(() => {
  broker.client.close()
  broker.child.kill('SIGKILL')
})

/** The real program, in a process of its own, as it is built: its sources would bring their compiler along. */
async function start(): Promise<Broker> {
  const folder = tempFolder('hostile')
  const main = await build(join(folder, 'program'))
  const any = '"127.0.0.1:0"'
  const provider = 'acme: {definition: {token_url: "http://127.0.0.1:9/t"}, static_access_token: {env: T}}'
  const listen = `grpc: [{address: ${any}}], http: {address: ${any}}, admin: {address: ${any}}`
  writeFileSync(join(folder, 'broker.yaml'), `listen: {${listen}}\nproviders: {${provider}}\n`)
  const env = { PATH: process.env.PATH, T: 'canary-static', NODE_OPTIONS, ...MALLOC }
  const child = spawn(process.execPath, [main, 'serve'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const port = await portOf(child)
  const token = readFileSync(join(folder, 'data', 'operator.token'), 'utf8').trim()
  const client = new TokenBrokerServiceClient(`127.0.0.1:${port}`, credentials.createInsecure())
  return { child, port, token, client }
}

async function build(folder: string): Promise<string> {
  const compile = spawn(join(ROOT, 'node_modules/.bin/tsc'), [
    '-p',
    join(ROOT, 'src'),
    '--outDir',
    join(folder, 'dist'),
  ])
  const [exitCode] = await once(compile, 'close')
  expect(exitCode).toBe(0)
  cpSync(join(ROOT, 'src/gen/descriptor.binpb'), join(folder, 'dist/gen/descriptor.binpb'))
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return join(folder, 'dist/main.js')
}

function portOf({ stdout }: ChildProcess): Promise<number> {
  return new Promise(resolve => {
    let text = ''
    stdout?.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
      const [, port] = /"grpc":\["127\.0\.0\.1:(\d+)"\]/.exec(text) ?? []
      if (port !== undefined) resolve(Number(port))
      if (text.length > 1_000_000) text = ''
    })
  })
}

/** Attacks until it is told to stop, and then says how often. */
function attackWith(attack: string) {
  const args = [ATTACKER, attack, String(broker.port), broker.token]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let count = 0
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    count = Number(text.trim().split('\n').at(-1))
  })
  const begun = new Promise<void>(resolve => child.stdout.once('data', () => resolve()))
  const stop = () =>
    new Promise<number>(resolve => {
      child.once('close', () => resolve(count))
      child.kill('SIGKILL')
    })
  return { begun, stop }
}

/** What calls of a healthy client take, in milliseconds. */
async function callFor(ms: number): Promise<number[]> {
  const until = performance.now() + ms
  const tookMs: number[] = []
  while (performance.now() < until) {
    const since = performance.now()
    const request = { provider: 'acme', account: '', verify: false }
    await call(broker.client, broker.client.getStatus, request, bearer(broker.token), Date.now() + 5_000)
    tookMs.push(performance.now() - since)
    await pause(CALL_EVERY_MS)
  }
  return tookMs.sort((a, b) => a - b)
}

const p99 = (sorted: readonly number[]) =>
  sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.POSITIVE_INFINITY

/** Megabytes of memory that the broker has, or had at most. */
function memory(of: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${broker.child.pid}/status`, 'utf8')
  return Number(new RegExp(`${of}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024
}

describe.runIf(process.platform === 'linux')('a healthy client is served during', () => {
  it('nothing, which is what the others are compared with', async () => {
    expect(p99(await callFor(500))).toBeLessThan(atMost(P99_MS_MAX))
  })

  it.each(ATTACKS)('%s', { timeout: ATTACK_MS + 20_000 }, async (attack, countMin) => {
    const attacker = attackWith(attack)
    await attacker.begun
    const tookMs = await callFor(ATTACK_MS)
    const peak = memory('VmRSS')
    const count = await attacker.stop()
    report(`an attack: ${attack}`, { count, p99Ms: Math.round(p99(tookMs)), memoryMb: Math.round(peak) })
    expect(count).toBeGreaterThanOrEqual(countMin)
    expect(p99(tookMs)).toBeLessThan(atMost(P99_MS_MAX))
    expect(peak).toBeLessThan(RSS_MB_MAX + (attack === UNACKNOWLEDGED ? UNACKNOWLEDGED_MB_MAX : 0))
    expect(broker.child.exitCode).toBeNull()
  })

  it('and after all of them', async () => {
    expect(p99(await callFor(500))).toBeLessThan(atMost(P99_MS_MAX))
    expect(memory('VmHWM')).toBeLessThan(RSS_MB_MAX + UNACKNOWLEDGED_MB_MAX)
  })
})
