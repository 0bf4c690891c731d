import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { HTTP_LIMITS } from '../../src/http/limits.ts'
import { closed } from '../closed.ts'
import { skippedWithout } from '../skipped.ts'
import { tempFolder } from '../temp-folder.ts'
import { createFakeConsentFlow, LINK } from './fake-consent-flow.ts'
import { ask, startConsentServer, stopServers } from './running-server.ts'
import { selfSigned } from './self-signed.ts'

afterEach(stopServers)

const tls = selfSigned()
const missing = skippedWithout('openssl', tls !== undefined)
const publicUrl = 'https://broker.example'

describe(`createConsentServer() with a certificate${missing}`, () => {
  it.skipIf(tls === undefined)('serves https and promises to stay there', async () => {
    const { port } = await startConsentServer({ flow: createFakeConsentFlow(), publicUrl, tls })
    const answer = await ask(port, `/connect/${LINK}`, { ca: tls?.cert })
    expect(answer.status).toBe(200)
    expect(answer.headers['strict-transport-security']).toMatch(/^max-age=\d{8}$/)
  })

  it.skipIf(tls === undefined)(
    'shows a new certificate once its files hold one that fits together',
    async () => {
      const folder = tempFolder('http-tls')
      const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
      const write = (pair = tls) => {
        writeFileSync(files.cert, pair?.cert ?? '')
        writeFileSync(files.key, pair?.key.expose() ?? '')
      }
      write()
      const flow = createFakeConsentFlow()
      const readFileNow = (path: string) => readFile(path)
      const withFiles = tls && { ...tls, files }
      const { port } = await startConsentServer({ flow, publicUrl, tls: withFiles, readFile: readFileNow })
      const next = selfSigned()
      writeFileSync(files.cert, 'damaged')
      expect((await ask(port, `/connect/${LINK}`, { ca: tls?.cert })).status).toBe(200)
      write(next)
      await vi.waitFor(async () => ask(port, `/connect/${LINK}`, { ca: next?.cert }), { timeout: 5_000 })
    },
  )

  it.skipIf(tls === undefined)('refuses TLS 1.1', async () => {
    const { port } = await startConsentServer({ flow: createFakeConsentFlow(), publicUrl, tls })
    const old = { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    const socket = connectTls({ port, host: '127.0.0.1', ca: tls?.cert, servername: 'localhost', ...old })
    const [error] = await once(socket, 'error')
    expect(error.code).toMatch(/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/)
  })

  it.skipIf(tls === undefined)('cuts a handshake that does not come', async () => {
    const limits = { headersTimeoutMs: 200, checkIntervalMs: 50 }
    const { port } = await startConsentServer({ flow: createFakeConsentFlow(), publicUrl, tls, limits })
    const socket = connect(port, '127.0.0.1')
    const since = performance.now()
    await closed(socket.resume())
    expect(performance.now() - since).toBeLessThan(HTTP_LIMITS.headersTimeoutMs)
  })

  it.skipIf(tls === undefined)(
    'keeps connections that are being answered and closes older silent ones',
    async () => {
      const flow = createFakeConsentFlow()
      const started = Promise.withResolvers<void>()
      const exchange = Promise.withResolvers<void>()
      flow.answers.finish = async () => {
        started.resolve()
        await exchange.promise
        return { kind: 'unknown' }
      }
      const limits = { connectionsMax: 2 }
      const { port } = await startConsentServer({ flow, publicUrl, tls, limits })
      const answer = ask(port, '/pinterest/oauth/callback?code=c', { ca: tls?.cert })
      await started.promise
      const silent = connect(port, '127.0.0.1')
      await once(silent, 'connect')
      const newer = connect(port, '127.0.0.1').on('error', () => {})
      await closed(silent.resume())
      newer.destroy()
      exchange.resolve()
      expect((await answer).status).toBe(400)
    },
  )
})
