import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { status } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { ListenError } from '../../src/api/listening.ts'
import { Secret } from '../../src/secret.ts'
import { createHealthClient, type HealthClient } from './health-client.ts'
import { type RunningServer, startServer } from './running-server.ts'

const LOOPBACK = { host: '127.0.0.1', port: 0 }

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

async function start(...parameters: Parameters<typeof startServer>): Promise<RunningServer> {
  const running = await startServer(...parameters)
  cleanups.push(running.stop)
  return running
}

function healthClient(port: number): HealthClient {
  const client = createHealthClient(port)
  cleanups.push(() => client.close())
  return client
}

function check(client: HealthClient, service: string): Promise<string | number> {
  return new Promise(resolve =>
    client.check({ service }, (error, answer) => resolve(error === null ? answer.status : error.code)),
  )
}

describe('health', () => {
  it.each(['', 'tokenbroker.v1.TokenBrokerService', 'tokenbroker.v1.AdminService'])(
    'of %j says what it is told, without a token',
    async service => {
      const { server, port } = await start()
      const client = healthClient(port)
      expect(await check(client, service)).toBe('NOT_SERVING')
      server.setServing(true)
      expect(await check(client, service)).toBe('SERVING')
      server.setServing(false)
      expect(await check(client, service)).toBe('NOT_SERVING')
    },
  )

  it('does not know other services', async () => {
    const { port } = await start()
    expect(await check(healthClient(port), 'tokenbroker.v1.Other')).toBe(status.NOT_FOUND)
  })
})

describe('listen()', () => {
  it('takes several addresses', async () => {
    const { server, port } = await start()
    const [second = 0, third = 0] = (await server.listen([LOOPBACK, { ...LOOPBACK, tls: 'proxy' }])).slice(1)
    expect(new Set([port, second, third]).size).toBe(3)
    expect(await check(healthClient(second), '')).toBe('NOT_SERVING')
    expect(await check(healthClient(third), '')).toBe('NOT_SERVING')
  })

  it.each([
    ['a port that is in use', 'EADDRINUSE', 'another process has this port', {}],
    [
      'an address of another machine',
      'EADDRNOTAVAIL',
      'does not have this address',
      { host: '192.0.2.1', port: 0 },
    ],
    [
      'a key that is none',
      '',
      'its TLS certificate and key',
      { port: 0, tls: { cert: 'x', key: new Secret('canary') } },
    ],
  ])('says what is wrong with %s', async (_, code, sentence, differences) => {
    const occupied = createServer().listen(0, '127.0.0.1')
    cleanups.push(() => occupied.close())
    await once(occupied, 'listening')
    const { server } = await start()
    const listener = { host: '127.0.0.1', port: (occupied.address() as AddressInfo).port, ...differences }
    const error = await server.listen([listener]).catch(error => error)
    expect(error).toBeInstanceOf(ListenError)
    expect(error).toMatchObject({ address: `${listener.host}:${listener.port}` })
    expect(error.code).toContain(code)
    expect(error.message).toContain(sentence)
    expect(error.message).toContain('listen.grpc')
    expect(error.message).not.toContain('canary')
  })

  it('listens on all addresses or on none', async () => {
    const { server, port } = await start()
    await expect(server.listen([LOOPBACK, { host: '127.0.0.1', port }])).rejects.toBeInstanceOf(ListenError)
    const socket = connect(port, '127.0.0.1')
    const [error] = await once(socket, 'error')
    expect(error.code).toBe('ECONNREFUSED')
  })
})
