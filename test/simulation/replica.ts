import { type Audit, AuditError } from '../../src/audit/audit.ts'
import type { Broker } from '../../src/broker/broker.ts'
import { createBroker } from '../../src/broker/create-broker.ts'
import type { Clock, Log, LogFields, Random } from '../../src/broker/ports.ts'
import { createOAuthClient } from '../../src/oauth/client.ts'
import { createDefinitionSource } from '../../src/oauth/discovery.ts'
import type { Keyring } from '../../src/store/keyring.ts'
import { createFakeAudit } from '../audit/fake-audit.ts'
import type { MemoryStore } from '../store/memory-store.ts'
import { CANARY } from './authorization-server.ts'
import { createHttpPort, type HttpPorts } from './http-port.ts'
import { createOperations, type Operations } from './operations.ts'
import { providerOf } from './provider.ts'
import type { Process } from './scheduler.ts'
import type { SendingRules } from './sending.ts'
import { createSpoolPort, type SpoolFile } from './spool-port.ts'
import { createStorePort, type StorePorts } from './store-port.ts'
import { plainOf } from './truth.ts'
import { EPOCH, type World } from './world.ts'

/** The timers that only look whether there is something to do: the renewer's, and those that look after watches. */
const POLLS_MS: readonly number[] = [250, 1_000]

/** One broker on its machine: the process comes and goes, the spool file and the clock stay. */
export interface Replica {
  /** The process that runs, or the last that did. */
  readonly process: Process
  readonly broker: Broker
  /** Resolves when the broker may serve. */
  readonly started: Promise<void>
  /** Milliseconds that its wall clock is ahead. */
  readonly wallOffset: number
  /** Access tokens whose import is under way: their end was told on the clock as it is. */
  readonly importing: Set<string>
  resumedAt: number
  readonly spool: SpoolFile
  setClock(wallOffset: number): void
  boot(): void
  crash(): Promise<void>
  pause(): void
  resume(): void
  /** Whether it has operations under way or owes the store something. */
  isBusy(): boolean
  /** Whether it waits for an answer of the provider. */
  isSending(): boolean
}

interface Ports {
  readonly world: World
  readonly index: number
  readonly shared: MemoryStore
  readonly storePorts: StorePorts
  readonly httpPorts: Omit<HttpPorts, 'onSend'>
  readonly sending: SendingRules
  readonly keyring: Keyring
}

/** Creates a replica and starts it. */
export function createReplica(ports: Ports): Replica {
  const { world, index, shared, storePorts, keyring } = ports
  const { scheduler, truth } = world
  const dice = world.dice.fork()
  let operations: Operations
  let process: Process
  let broker: Broker
  let started: Promise<void>
  let boots = 0
  let wallOffset = 0

  function boot(): void {
    const name = `${'ABC'[index]}${++boots}`
    process = { name, alive: true, paused: false }
    // A store with one writer is a database within the process.
    const inOrder = world.profile.replicas === 1
    operations = createOperations({ scheduler, dice: storePorts.dice, process, inOrder })
    let tokens = 0
    const clock = clockOf(world, replica, process)
    const random: Random = {
      // Different bytes each time, the same in each run of a seed.
      token: bytes => `${name}-${++tokens}-`.padEnd(Math.ceil((bytes * 4) / 3), 'x'),
      fraction: dice.fraction,
    }
    const onSend: HttpPorts['onSend'] = exchange =>
      ports.sending.check(exchange, scheduler.now(), clock.now())
    const http = createHttpPort({ ...ports.httpPorts, onSend }, process, () => truth.exchanges.size + 1)
    const provider = providerOf(world.profile)
    const client = createOAuthClient(
      provider,
      createDefinitionSource(provider, http, clock.now),
      http,
      clock.now,
    )
    replica.resumedAt = scheduler.now()
    truth.note(`${name} starts`)
    broker = createBroker({
      clients: [client],
      store: createStorePort(storePorts, process, shared.open(name), operations),
      spool: spoolOf(world, replica.spool, operations),
      keyring,
      audit: auditOf(world, process, operations),
      clock,
      random,
      log: logOf(world, process),
      publicUrl: 'https://broker.example',
      ...(world.profile.replicas > 1 && { replica: name }),
    })
    started = broker.start()
  }

  const replica: Replica = {
    get process() {
      return process
    },
    get broker() {
      return broker
    },
    get started() {
      return started
    },
    get wallOffset() {
      return wallOffset
    },
    importing: new Set(),
    setClock(ms) {
      truth.note(`the clock of ${process.name} is ${ms} ms ahead`)
      wallOffset = ms
      for (const token of replica.importing) truth.mistold.add(token)
    },
    resumedAt: 0,
    spool: { commits: [] },
    boot,
    async crash() {
      truth.note(`${process.name} dies`)
      process.alive = false
      await operations.crash()
      replica.importing.clear()
    },
    pause() {
      truth.note(`${process.name} is paused`)
      process.paused = true
    },
    resume() {
      truth.note(`${process.name} goes on`)
      process.paused = false
      replica.resumedAt = scheduler.now()
      scheduler.resume(process)
    },
    isSending: () => [...truth.exchanges.values()].some(one => one.open && one.process === process),
    isBusy: () => operations.size() > 0 || replica.spool.commits.length > 0,
  }
  boot()
  return replica
}

function clockOf({ scheduler }: World, replica: Replica, process: Process): Clock {
  const started = scheduler.now()
  return {
    now: () => EPOCH + scheduler.now() + replica.wallOffset,
    monotonic: () => scheduler.now() - started,
    schedule: (ms, run) =>
      scheduler.after(ms, run, {
        owner: process,
        poll: POLLS_MS.includes(ms),
        label: `${process.name} timer ${ms}`,
      }),
  }
}

function spoolOf({ truth, scheduler, profile }: World, file: SpoolFile, operations: Operations) {
  return createSpoolPort(file, operations, ({ outcome }) => {
    const access = 'sealedAccessToken' in outcome ? outcome.sealedAccessToken : undefined
    const tokens = [outcome.sealedRefreshToken, access].filter(sealed => sealed !== undefined).map(plainOf)
    truth.note(`spooled ${tokens.join(' ')}`)
    for (const token of tokens) {
      truth.durable.add(token)
      // The spool of another replica is read by nobody else.
      if (profile.replicas === 1) truth.storedAt.set(token, scheduler.now())
    }
  })
}

/** The real one writes to the store, so it fails with it. */
function auditOf({ truth, modes }: World, { name }: Process, { run }: Operations): Audit {
  return {
    ...createFakeAudit(),
    recordRelease: async ({ fingerprint }) => {
      const key = `${name} ${fingerprint}`
      if (truth.audited.has(key)) return
      await run('audit', async () => {
        if (modes.store === 'down' || modes.store === 'full') throw new AuditError({})
        truth.audited.add(key)
      })
    },
  }
}

/** I8: nothing secret is logged. */
function logOf({ truth }: World, { name }: Process): Log {
  const write =
    (level: string) =>
    (message: string, fields: LogFields = {}) => {
      const { error, ...rest } = fields
      const reason = error instanceof Error ? `${error.name}: ${error.message}` : ''
      const line = `${name} ${level} ${message} ${JSON.stringify(rest)} ${reason}`
      if (line.includes(CANARY)) truth.violate('I8', `a log line holds a token: ${line}`)
      truth.note(line)
    }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}
