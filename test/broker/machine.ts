import { inspect } from 'node:util'
import { createBroker } from '../../src/broker/create-broker.ts'
import type { Log, LogFields, Random } from '../../src/broker/ports.ts'
import type { Http } from '../../src/egress/http.ts'
import { createOAuthClient } from '../../src/oauth/client.ts'
import { createDefinitionSource } from '../../src/oauth/discovery.ts'
import type { Provider } from '../../src/providers/provider.ts'
import { resolveDefinition } from '../../src/providers/resolve.ts'
import { Secret } from '../../src/secret.ts'
import type { Store } from '../../src/store/store.ts'
import { createFakeAudit } from '../audit/fake-audit.ts'
import { noteSink } from '../canaries.ts'
import { createMemorySpool } from '../store/memory-spool.ts'
import { createMemoryStore } from '../store/memory-store.ts'
import { conversation } from './conversation.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'
import { fakeKeyring } from './fake-keyring.ts'
import { createLife } from './life.ts'
import { createScriptedServer } from './scripted-server.ts'

const definition = {
  authorize_url: 'https://as.example/authorize',
  token_url: 'https://as.example/token',
  revoke_url: 'https://as.example/revoke',
  answer: { provider_account_id: '/account' },
}

/** What a test may change about the one provider, `acme`. */
export interface MachineOptions {
  /** What its definition says beside the endpoints; or a built-in's id. */
  readonly definition?: object | string
  readonly provider?: Partial<Provider>
  /** Further providers beside it, like it but for what is said here. */
  readonly others?: readonly (Partial<Provider> & { readonly id: string })[]
  /** Jitter; default 0. */
  readonly fraction?: number | (() => number)
  /** Default: one of its own. */
  readonly clock?: FakeClock
  /** How requests leave. Default: to the scripted server, without a network. */
  readonly http?: Http
  /** The store as a process sees it. Default: one in memory that all share. */
  readonly open?: (writer: string) => Store
}

/** What a test may say about one process. */
export interface ProcessOptions {
  readonly provider?: Partial<Provider>
  readonly replica?: string
}

/** What the log was told. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields?: LogFields
}

/** One process of the broker. Methods of its store and its spool may be replaced. */
export type Process = ReturnType<Machine['boot']>
/** What outlives the processes: the provider, the clock, the store and the disk. */
export type Machine = ReturnType<typeof createMachine>

/** Creates a machine on which nothing runs yet. */
export function createMachine(options: MachineOptions = {}) {
  const clock = options.clock ?? createFakeClock()
  const server = createScriptedServer(clock.now)
  const disk = createMemorySpool()
  const memory = createMemoryStore()
  const provider = providerOf(options)
  const random = createCountingRandom(options.fraction ?? 0)
  const open = options.open ?? memory.open

  /** A process that has not started. */
  function boot({ provider: over, replica }: ProcessOptions = {}) {
    const life = createLife()
    const store = life.bind(open(replica ?? 'local'))
    const spool = life.bind(disk.open())
    const http = life.bind(options.http ?? server.http)
    const audit = createFakeAudit(clock.now)
    const log: LogLine[] = []
    const all = [{}, ...(options.others ?? [])].map(other => ({ ...provider, ...over, ...other }))
    const broker = createBroker({
      clients: all.map(configured => {
        const source = createDefinitionSource(configured, http, clock.now)
        return createOAuthClient(configured, source, http, clock.now)
      }),
      store,
      keyring: fakeKeyring,
      spool,
      audit,
      clock: { ...clock, schedule: (ms, callback) => clock.schedule(ms, life.whileAlive(callback)) },
      random,
      log: createLog(log),
      publicUrl: 'https://broker.example',
      returnUrls: new Map([['portal', 'https://portal.example/connected?lang=en']]),
      replica,
    })
    return {
      broker,
      store,
      spool,
      audit,
      releases: audit.releases,
      log,
      crash: life.end,
      ...conversation(broker),
    }
  }

  return {
    clock,
    server,
    memory,
    boot,
    /** A process that has settled what a former one left, and renews. */
    async run(over?: ProcessOptions) {
      const started = boot(over)
      await started.broker.start()
      return started
    },
  }
}

function providerOf({ definition: said = {}, provider }: MachineOptions): Provider {
  const source = typeof said === 'string' ? said : { ...definition, ...said }
  return {
    id: 'acme',
    definition: resolveDefinition(source, 'acme'),
    environment: 'production',
    clientId: 'client',
    clientSecrets: [new Secret('canary-client-secret')],
    scopes: ['a', 'b'],
    redirectPath: '/oauth/callback/acme',
    redirectUri: 'https://broker.example/oauth/callback/acme',
    limits: { concurrency: 4, perSecond: 100 },
    missingScopes: 'report',
    variables: {},
    ...provider,
  }
}

function createLog(lines: LogLine[]): Log {
  const at = (level: LogLine['level']) => (message: string, fields?: LogFields) => {
    noteSink('the log', `${message} ${inspect(fields)}`)
    lines.push({ level, message, fields })
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

let sequence = 0

/** Different bytes each time, the same in each run of a test file. */
function createCountingRandom(fraction: number | (() => number)): Random {
  return {
    token: bytes => `${String(++sequence).padStart(8, '0')}${'x'.repeat(Math.ceil((bytes * 4) / 3) - 8)}`,
    fraction: typeof fraction === 'number' ? () => fraction : fraction,
  }
}
