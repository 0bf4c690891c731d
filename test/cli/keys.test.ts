import { status as grpcStatus } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import {
  GetKeysResponse,
  KeyPurpose,
  KeyState,
  RebindConnectionsResponse,
} from '../../src/gen/tokenbroker/v1/admin.ts'
import { type Answers, type FakeBroker, refusal, startFakeBroker } from './fake-server.ts'
import { type CliSetting, runCli } from './run-cli.ts'

let broker: FakeBroker | undefined
afterEach(() => {
  broker?.close()
  broker = undefined
})

async function run(argv: readonly string[], answers: Answers, setting: CliSetting = {}) {
  broker = await startFakeBroker(answers)
  return runCli(argv, { broker, ...setting })
}

const key = (keyId: string, state: KeyState, valueCount: number) => ({
  keyId,
  purpose: KeyPurpose.SEAL,
  state,
  createTime: undefined,
  valueCount,
})

const keysOf = (over: Partial<GetKeysResponse> = {}): GetKeysResponse =>
  GetKeysResponse.fromPartial({
    keys: [key('aa', KeyState.ACTIVE, 7), key('bb', KeyState.PRIMARY, 3)],
    rootKeyFingerprint: 'ff',
    ...over,
  })

describe('keys status', () => {
  it('lists the keys, and says what cannot be read', async () => {
    const { exitCode, stdout } = await run(['keys', 'status'], {
      getKeys: () => keysOf({ unknownKeyValueCount: 2, resealing: true }),
    })
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^aa +SEAL +ACTIVE +- +7$/m)
    expect(stdout).toMatch(/^bb +SEAL +PRIMARY +- +3$/m)
    expect(stdout).toContain('Wrapped by the root key ff.')
    expect(stdout).toContain('2 values name a key that is not there')
  })

  it('prints one document with --json', async () => {
    const { stdout } = await run(['keys', 'status', '--json'], { getKeys: () => keysOf() })
    expect(JSON.parse(stdout)).toMatchObject({
      rootKeyFingerprint: 'ff',
      keys: [{ keyId: 'aa' }, { keyId: 'bb' }],
    })
  })
})

describe('keys rotate', () => {
  it('waits until no older key seals anything', async () => {
    const looks = [7, 3, 0]
    const { exitCode, stdout } = await run(['keys', 'rotate', '--wait'], {
      rotateKeys: () => ({ keyId: 'bb', rotated: true }),
      getKeys: () => {
        const left = looks.shift() ?? 0
        return keysOf({ keys: [key('aa', KeyState.ACTIVE, left)], resealing: left > 0 })
      },
    })
    expect(exitCode).toBe(0)
    expect(stdout).toContain('The key bb seals from now on.')
    expect(stdout).toContain('Nothing is sealed by an older key any more.')
    expect(looks).toEqual([])
  })

  it.each([
    [[], 'The key bb seals from now on.\n'],
    [['--json'], expect.stringContaining('"resealed": false')],
  ])('waits no longer than there is something to wait for %j', async (options, said) => {
    const { exitCode, stdout, stderr } = await run(['keys', 'rotate', '--wait', ...options], {
      rotateKeys: () => ({ keyId: 'bb', rotated: true }),
      getKeys: () => keysOf({ keys: [key('aa', KeyState.ACTIVE, 2)] }),
    })
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: said })
    expect(stderr).toContain(options.length > 0 ? '' : '2 values do not open')
  })

  it('says that an earlier rotation goes on', async () => {
    const { stdout } = await run(['keys', 'rotate'], { rotateKeys: () => ({ keyId: 'bb', rotated: false }) })
    expect(stdout).toMatch(/^No new key: /)
  })
})

describe('keys rewrap', () => {
  it.each([
    [3, '3 keys are under the root key ee now.'],
    [0, 'All keys were under the root key ee already.'],
  ])('of %i keys says what was done', async (keyCount, sentence) => {
    const { exitCode, stdout } = await run(['keys', 'rewrap'], {
      rewrapKeys: () => ({ rootKeyFingerprint: 'ee', keyCount }),
    })
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `${sentence}\n` })
  })

  it('exits 1 if there is no next root key', async () => {
    const { exitCode, stderr } = await run(['keys', 'rewrap'], {
      rewrapKeys: () => {
        throw refusal(grpcStatus.FAILED_PRECONDITION, 'NO_NEXT_ROOT_KEY', 'none is configured')
      },
    })
    expect(exitCode).toBe(1)
    expect(stderr).toContain('NO_NEXT_ROOT_KEY')
  })
})

describe('rebind', () => {
  const moved = RebindConnectionsResponse.fromPartial({
    tokenOrigin: 'https://new.example',
    previousTokenOrigins: ['https://old.example'],
    reboundCount: 2,
    unchangedCount: 1,
  })

  it.each([[[]], [['--account', 'a', '--all']]])('refuses %j: which connections?', async options => {
    expect((await run(['rebind', 'acme', ...options], {})).exitCode).toBe(64)
  })

  it.each([
    ['y', 2, 0],
    ['', 1, 1],
    ['no', 1, 1],
  ])('asks where tokens may go; %j makes %i calls', async (answer, calls, exitCode) => {
    const requests: boolean[] = []
    const result = await run(
      ['rebind', 'acme', '--all'],
      {
        rebindConnections: ({ dryRun }) => {
          requests.push(dryRun)
          return moved
        },
      },
      { answer },
    )
    expect(result.exitCode).toBe(exitCode)
    expect(result.questions.join()).toContain('https://new.example')
    expect(result.stderr).toContain('sealed for https://old.example')
    expect(requests).toEqual([true, false].slice(0, calls))
  })

  it('says so in its one document with --json if the answer is no', async () => {
    const answers = { rebindConnections: () => moved }
    const result = await run(['rebind', 'acme', '--all', '--json'], answers, { answer: 'no' })
    expect(result.exitCode).toBe(1)
    expect(JSON.parse(result.stdout)).toEqual({ error: { message: 'nothing was done' } })
  })

  it('says where else tokens may go, to be revoked and verified', async () => {
    const endpointOrigins = ['https://new.example', 'https://revoke.example']
    const result = await run(
      ['rebind', 'acme', '--all'],
      { rebindConnections: () => ({ ...moved, endpointOrigins }) },
      { answer: 'no' },
    )
    expect(result.questions.join()).toContain('revoke or verify them to https://revoke.example, from now on?')
  })

  it('names every place where tokens may go, if they do not all go to the same', async () => {
    const endpointOrigins = ['https://one.example', 'https://two.example']
    const answers = { rebindConnections: () => ({ ...moved, tokenOrigin: '', endpointOrigins }) }
    const result = await run(['rebind', 'acme', '--all'], answers, { answer: 'no' })
    expect(result.questions.join()).toContain(
      'Send them to https://one.example, https://two.example from now on?',
    )
  })

  it('does nothing where nobody can be asked', async () => {
    const requests: boolean[] = []
    const result = await run(['rebind', 'acme', '--account', ''], {
      rebindConnections: ({ dryRun, scope }) => {
        requests.push(dryRun)
        expect(scope).toEqual({ $case: 'account', value: '' })
        return moved
      },
    })
    expect(result.exitCode).toBe(64)
    expect(requests).toEqual([true])
  })

  it('exits 1 if any was left out', async () => {
    const { exitCode, stderr } = await run(['rebind', 'acme', '--all', '--yes'], {
      rebindConnections: () => ({ ...moved, skippedCount: 1, skippedAccounts: ['zeta'] }),
    })
    expect(exitCode).toBe(1)
    expect(stderr).toContain('zeta')
  })
})

describe('restore --status', () => {
  it('names what is lost', async () => {
    const { exitCode, stdout } = await run(['restore', '--status'], {
      getRestore: () => ({
        restore: {
          acceptTime: undefined,
          survivedCount: 5,
          lostCount: 1,
          pendingCount: 2,
          lostConnections: [{ provider: 'square', account: 'shop-7' }],
        },
      }),
    })
    expect(exitCode).toBe(1)
    expect(stdout).toContain('5 survived, 1 lost, 2 not checked yet')
    expect(stdout).toContain('  square shop-7\n')
  })

  it('says that there was none', async () => {
    const { exitCode, stdout } = await run(['restore', '--status'], {
      getRestore: () => ({ restore: undefined }),
    })
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'No older copy was ever accepted.\n' })
  })

  it.each([
    [[]],
    [['--status', '--from', 'x']],
    [['--in-place', '--from', 'x']],
    [['--in-place', '--status']],
  ])('refuses %j', async options => {
    expect((await run(['restore', ...options], {})).exitCode).toBe(64)
  })
})
