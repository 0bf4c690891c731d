import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { startOnFreePorts } from '../../src/cli/demo-ports.ts'
import { createDemoWorld } from '../../src/cli/demo-world.ts'
import { tempFolder } from '../temp-folder.ts'

const HOST = '127.0.0.1'
const open: Server[] = []

afterEach(() => {
  for (const server of open.splice(0)) server.close()
})

/** Takes a port until the test is over; rejects as the system does if it is taken. */
async function take(port: number): Promise<number> {
  const server = createServer().listen(port, HOST)
  await once(server, 'listening')
  open.push(server)
  return (server.address() as AddressInfo).port
}

describe('startOnFreePorts()', () => {
  it('chooses again if a port is taken between choosing and listening', async () => {
    const tried: number[] = []
    const started = await startOnFreePorts(HOST, { one: 0 }, async ({ one }) => {
      tried.push(one)
      if (tried.length === 1) await take(one)
      return take(one)
    })
    expect(tried).toHaveLength(2)
    expect(started).toBe(tried[1])
    expect(started).not.toBe(tried[0])
  })

  it('chooses again if the taken port is only the cause', async () => {
    let attempts = 0
    const start = async () => {
      attempts++
      if (attempts > 1) return 'started'
      throw new Error('cannot listen', { cause: Object.assign(new Error(), { code: 'EADDRINUSE' }) })
    }
    expect(await startOnFreePorts(HOST, { one: 0 }, start)).toBe('started')
  })

  it('gives up where every port is taken', async () => {
    let attempts = 0
    const start = () => {
      attempts++
      return Promise.reject(Object.assign(new Error('taken'), { code: 'EADDRINUSE' }))
    }
    await expect(startOnFreePorts(HOST, { one: 0 }, start)).rejects.toThrow('taken')
    expect(attempts).toBe(5)
  })

  it('does not try again after any other failure', async () => {
    let attempts = 0
    const start = () => {
      attempts++
      return Promise.reject(Object.assign(new Error('not allowed'), { code: 'EACCES' }))
    }
    await expect(startOnFreePorts(HOST, { one: 0 }, start)).rejects.toThrow('not allowed')
    expect(attempts).toBe(1)
  })

  it('takes another port where the preferred one is taken', async () => {
    const taken = await take(0)
    const { one } = await startOnFreePorts(HOST, { one: taken }, async ports => ports)
    expect(one).not.toBe(taken)
    expect(await take(one)).toBe(one)
  })

  it('never chooses one port twice', async () => {
    const ports = await startOnFreePorts(HOST, { one: 0, two: 0, three: 0 }, async chosen => chosen)
    expect(new Set(Object.values(ports)).size).toBe(3)
  })
})

describe('createDemoWorld()', () => {
  it('makes worlds side by side that want the same ports', async () => {
    const wanted = await startOnFreePorts(
      HOST,
      { grpc: 0, http: 0, admin: 0, sandbox: 0 },
      async ports => ports,
    )
    const worlds = await Promise.all(
      ['one', 'two', 'three'].map(name => createDemoWorld(tempFolder(name), wanted)),
    )
    try {
      expect(new Set(worlds.map(({ grpcAddress }) => grpcAddress)).size).toBe(3)
      expect(new Set(worlds.map(({ publicUrl }) => publicUrl)).size).toBe(3)
      expect(new Set(worlds.map(({ sandboxOrigin }) => sandboxOrigin)).size).toBe(3)
    } finally {
      await Promise.all(worlds.map(world => world.stop()))
    }
  })
})
