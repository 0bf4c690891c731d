import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { HTTP_LIMITS } from '../../src/http/limits.ts'
import { createFakeConsentFlow, LINK, REDIRECT_PATH } from '../http/fake-consent-flow.ts'
import { ask, startConsentServer, stopServers } from '../http/running-server.ts'
import { atMost } from './form.ts'
import { report } from './report.ts'

afterAll(stopServers)

/** How many honest browsers come meanwhile, one after the other. */
const CALLBACKS = 200
/** A slow client sends one byte in that time, and returns that long after it was cut. */
const DRIP_MS = 1_000
/** What is promised: so long an honest browser waits, and so long somebody else holds a socket. */
const CALLBACK_P99_MS_MAX = 1_000
const HELD_MS_MAX = 10_000
/** Long enough for the slowest to be cut. */
const ATTACK_MS = 11_000

const FORM = 'content-type: application/x-www-form-urlencoded\r\ncontent-length: 9999'
/** What slow clients say at once: nothing, half a head, a head; the rest comes byte by byte. */
const OPENINGS = [
  '',
  `GET /connect/${LINK} HTTP/1.1\r\nhost: x\r\nx-slow: `,
  `POST /connect/${LINK} HTTP/1.1\r\nhost: x\r\n${FORM}\r\n\r\n`,
]

/** Both at once: most of the time they wait. */
describe.concurrent('slow clients that come back whenever they are cut', () => {
  it('keep nobody out, a thousand of them', async () => {
    const { port, slow } = await underAttack(1_000)
    const until = performance.now() + ATTACK_MS
    const tookMs: number[] = []
    for (let nth = 0; nth < CALLBACKS; nth++) {
      const since = performance.now()
      expect((await ask(port, `${REDIRECT_PATH}?code=c`)).status).toBe(403)
      tookMs.push(performance.now() - since)
      await pause(Math.max(0, until - performance.now()) / (CALLBACKS - nth))
    }
    slow.stop()
    const p99 = tookMs.sort((a, b) => a - b)[Math.ceil(CALLBACKS * 0.99) - 1]
    report('a thousand slow clients', { p99Ms: Math.round(p99 ?? 0), heldMs: Math.round(slow.longestMs()) })
    expect(p99).toBeLessThan(atMost(CALLBACK_P99_MS_MAX))
    expect(slow.longestMs()).toBeLessThan(HELD_MS_MAX)
  })

  it('hold no socket for long where there is room for all of them', async () => {
    const count = HTTP_LIMITS.connectionsMax - 6
    const { slow } = await underAttack(count)
    await pause(ATTACK_MS)
    slow.stop()
    // Each was there from the start, and was cut by a deadline and by nothing else.
    expect(slow.cut()).toBeGreaterThanOrEqual(count)
    expect(slow.longestMs()).toBeGreaterThan(HTTP_LIMITS.requestTimeoutMs)
    expect(slow.longestMs()).toBeLessThan(HELD_MS_MAX)
  })
})

async function underAttack(count: number) {
  // All come from one address, which would be limited.
  const limits = { requestsPerMinuteMax: 1_000_000 }
  const { port } = await startConsentServer({ flow: createFakeConsentFlow(), limits })
  return { port, slow: startSlowClients(port, count) }
}

/** Clients that send a byte now and then, and return when they are cut. */
function startSlowClients(port: number, count: number) {
  const timers = new Set<NodeJS.Timeout>()
  const open = new Map<Socket, number>()
  const lives: number[] = []
  let stopped = false

  function attack(opening: string): void {
    const socket = connect(port, '127.0.0.1')
    const drip = setInterval(() => socket.writable && socket.write('x'), DRIP_MS)
    timers.add(drip)
    socket.on('error', () => {})
    socket.on('connect', () => {
      open.set(socket, performance.now())
      socket.write(opening)
    })
    socket.on('close', () => {
      clearInterval(drip)
      timers.delete(drip)
      lives.push(performance.now() - (open.get(socket) ?? performance.now()))
      open.delete(socket)
      if (!stopped) timers.add(setTimeout(attack, DRIP_MS, opening))
    })
    socket.resume()
  }

  for (let index = 0; index < count; index++) attack(OPENINGS[index % OPENINGS.length] ?? '')
  return {
    /** How many connections have ended. */
    cut: () => lives.length,
    /** The longest that a connection has lived, those that are open included. */
    longestMs: () => Math.max(0, ...lives, ...[...open.values()].map(since => performance.now() - since)),
    stop() {
      stopped = true
      for (const timer of timers) clearTimeout(timer)
      for (const socket of open.keys()) socket.destroy()
    },
  }
}
