import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { credentials } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { createCallers } from '../../src/api/callers.ts'
import { ListenError } from '../../src/api/listening.ts'
import { type ApiServer, createApiServer } from '../../src/api/server.ts'
import { hashCallerToken } from '../../src/config/caller-token.ts'
import { GetAccessTokenRequest, TokenBrokerServiceClient } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { createFakeClock } from '../broker/fake-clock.ts'
import { tempFolder } from '../temp-folder.ts'
import { createFakeBroker, TOKEN } from './fake-broker.ts'
import { bearer, call, createRecordingLog, failureOf, OPERATOR_TOKEN } from './running-server.ts'

const REQUEST = GetAccessTokenRequest.fromPartial({ provider: 'pinterest' })
const root = tempFolder('socket')
let count = 0

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A path in a folder that does not exist yet. */
function freshPath(): string {
  return join(root, String(count++), 'broker.sock')
}

async function listen(socket: string): Promise<ApiServer> {
  const clock = createFakeClock()
  const callers = createCallers({ operatorTokenHash: hashCallerToken(OPERATOR_TOKEN), callers: [], clock })
  const log = createRecordingLog()
  const denials = { recordDenial: () => {} }
  const server = createApiServer({ broker: createFakeBroker(), callers, log, clock, denials })
  cleanups.push(() => server.close())
  await server.listen([{ socket }])
  return server
}

async function refusal(socket: string): Promise<string> {
  const error = await listen(socket).then(
    () => new Error('it listens'),
    (error: unknown) => error,
  )
  if (error instanceof ListenError) return error.message
  throw error
}

const modeOf = (path: string) => statSync(path).mode & 0o777

describe('a Unix socket', () => {
  it('is served to its owner alone, who needs a token nevertheless', async () => {
    const path = freshPath()
    const server = await listen(path)
    expect([modeOf(join(path, '..')), modeOf(path)]).toEqual([0o700, 0o600])
    const client = new TokenBrokerServiceClient(`unix:${path}`, credentials.createInsecure())
    cleanups.push(() => client.close())
    const answer = await call(client, client.getAccessToken, REQUEST)
    expect(answer.token?.version).toBe(TOKEN.version)
    const anonymous = call(client, client.getAccessToken, REQUEST, bearer('x'))
    expect((await failureOf(anonymous)).reason).toBe('CALLER_UNAUTHENTICATED')
    client.close()
    await server.drain()
    expect(existsSync(path)).toBe(false)
  })

  it('takes the place of one that a dead process has left', async () => {
    const path = freshPath()
    mkdirSync(join(path, '..'), { mode: 0o700 })
    const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    spawnSync(process.execPath, ['-e', script])
    expect(statSync(path).isSocket()).toBe(true)
    await listen(path)
  })

  it('leaves a living one alone', async () => {
    const path = freshPath()
    mkdirSync(join(path, '..'), { mode: 0o700 })
    const other = createServer()
    await new Promise<void>(resolve => other.listen(path, resolve))
    cleanups.push(() => other.close())
    expect(await refusal(path)).toBe(
      `cannot listen for gRPC on unix:${path}: another process listens there; stop it, or set another path (listen.grpc)`,
    )
    expect(existsSync(path)).toBe(true)
  })

  it('leaves a file alone that is no socket', async () => {
    const path = freshPath()
    mkdirSync(join(path, '..'), { mode: 0o700 })
    writeFileSync(path, 'precious')
    expect(await refusal(path)).toContain('there is a file that is no socket')
    expect(existsSync(path)).toBe(true)
    rmSync(path)
  })

  it('is not made in a folder that is a link', async () => {
    const path = freshPath()
    mkdirSync(`${join(path, '..')}-real`, { mode: 0o700 })
    symlinkSync(`${join(path, '..')}-real`, join(path, '..'))
    expect(await refusal(path)).toContain('is a link; name the folder that it leads to')
  })

  it.each([0o710, 0o701, 0o777])('is not made in a folder of mode %o', async mode => {
    const path = freshPath()
    mkdirSync(join(path, '..'))
    chmodSync(join(path, '..'), mode)
    expect(await refusal(path)).toContain('others may enter its folder; run chmod 700')
    expect(existsSync(path)).toBe(false)
  })
})
