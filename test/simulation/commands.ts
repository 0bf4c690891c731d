import type { AsyncCommand } from 'fast-check'
import fc from 'fast-check'
import { BrokerError, type Reason } from '../../src/broker/errors.ts'
import type { ConnectionRow } from '../../src/store/rows.ts'
import type { Acts, Ending } from './acts.ts'
import type { ProviderMode, StoreMode } from './profile.ts'
import type { Replica } from './replica.ts'
import { candidatesOf, grantOfRow } from './truth.ts'
import { EPOCH, type World } from './world.ts'

/** What a reader of the documentation would know: whether there is a connection, and what has been in the way of late. */
export interface Model {
  /** `unknown` after a call that was not answered. */
  connected: 'yes' | 'no' | 'unknown'
  paused: boolean
  provider: ProviderMode
  store: StoreMode
  /** Milliseconds for which nothing has been in the way. */
  fairMs: number
}

/** What the commands act on: one broker over its own store. */
export interface Real {
  readonly world: World
  readonly acts: Acts
  readonly replica: Replica
}

type Command = AsyncCommand<Model, Real>

/** Callers wait for 10 s at the most; the rest is the store's. */
const ANSWER_MS_MAX = 10_500
/** After that long without trouble everything that lives is well: the longest wait is a provider's breaker. */
const HEALED_MS = 120_000
/** A verdict that was never true is found out by the probes 10 minutes, an hour and a day after it. */
const PROBE_MS_MAX = 86_400_000

/** The model before the first command. */
export function newModel(): Model {
  return { connected: 'no', paused: false, provider: 'fair', store: 'up', fairMs: 0 }
}

/** Every command, with what it draws. */
export function allCommands(): fc.Arbitrary<Command>[] {
  const provider = fc.constantFrom<ProviderMode>(
    'fair',
    'fair',
    'flaky',
    'dead',
    'silent',
    'misconfigured',
    'lying',
  )
  const store = fc.constantFrom<StoreMode>('up', 'up', 'down', 'full', 'busy')
  return [
    fc.constantFrom(undefined, 0, 20_000).map(get),
    fc.constant(
      plain('refresh', (real, model) => answered(real, model, real.acts.refresh(real.replica, ''))),
    ),
    fc.constant(disconnect()),
    fc.constant(connect()),
    fc.oneof(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 500, max: 600_000 })).map(tick),
    fc.constant(plain('crash', crash)),
    fc.constant(
      plain('pause', async ({ replica }, model) => {
        if (!model.paused) replica.pause()
        model.paused = true
      }),
    ),
    fc.constant(
      plain('resume', async ({ replica }, model) => {
        if (model.paused) replica.resume()
        model.paused = false
      }),
    ),
    provider.map(mode =>
      plain(`provider ${mode}`, async ({ world }, model) => {
        model.provider = world.modes.provider = mode
      }),
    ),
    store.map(mode =>
      plain(`store ${mode}`, async ({ world }, model) => {
        model.store = world.modes.store = mode
      }),
    ),
    fc.integer({ min: -3_600_000, max: 864_000_000 }).map(ms =>
      plain(`jump ${ms}`, async ({ replica }) => {
        replica.setClock(replica.wallOffset + ms)
      }),
    ),
  ]
}

/** A command that may always be run, unless it says otherwise. */
function plain(
  name: string,
  run: (real: Real, model: Model) => Promise<unknown>,
  check: (model: Readonly<Model>) => boolean = () => true,
): Command {
  return {
    check,
    toString: () => name,
    async run(model, real) {
      await run(real, model)
      await pass(real, model, 1)
    },
  }
}

function get(minTtlMs: number | undefined): Command {
  return plain(`get ${minTtlMs ?? ''}`, async (real, model) => {
    const ending = await answered(real, model, real.acts.get(real.replica, '', { minTtlMs }))
    if (ending === undefined) return
    const reason = reasonOf(ending)
    if (model.connected === 'no') expectOneOf(reason, ['CONSENT_REQUIRED', 'BROKER_UNAVAILABLE'])
    if (model.connected !== 'yes' || model.fairMs < HEALED_MS) return
    // Nothing is in the way: what lives is served, and what is dead is called dead.
    const [row] = real.world.truth.rows
    const now = real.world.scheduler.now()
    const lives =
      row !== undefined && candidatesOf(row).some(token => real.world.truth.server.accepts(token, now))
    const served = lives && !isToBeProbed(real, row)
    expectOneOf(reason, served ? [undefined, 'MIN_TTL_UNREACHABLE'] : [undefined, 'REAUTH_REQUIRED'])
  })
}

/** Whether a verdict rests on lies of the provider, and the probe that will find that out is still to come: within a day. */
function isToBeProbed({ world: { truth, scheduler }, replica }: Real, row: ConnectionRow): boolean {
  const grant = grantOfRow(truth, row)
  if (row.state !== 'REAUTH_REQUIRED' || grant === undefined || !truth.liedAbout.has(grant)) return false
  const ahead = (row.nextRefreshAt ?? Number.NEGATIVE_INFINITY) - EPOCH - scheduler.now() - replica.wallOffset
  return ahead >= 0 && ahead <= PROBE_MS_MAX
}

function disconnect(): Command {
  return plain(
    'disconnect',
    async (real, model) => {
      const ending = await answered(real, model, real.acts.disconnect(real.replica, ''))
      model.connected = ending?.ok ? 'no' : model.connected === 'no' ? 'no' : 'unknown'
    },
    isRunning,
  )
}

function connect(): Command {
  return plain(
    'connect',
    async (real, model) => {
      const ending = await answered(real, model, real.acts.connect(real.replica, ''))
      model.connected = ending?.ok ? 'yes' : model.connected === 'yes' ? 'yes' : 'unknown'
    },
    isRunning,
  )
}

/** Of two that wait at the door of a paused process nobody knows which comes first. */
function isRunning({ paused }: Readonly<Model>): boolean {
  return !paused
}

function tick(ms: number): Command {
  return plain(`tick ${ms}`, (real, model) => pass(real, model, ms))
}

/** The service manager starts it again at once. */
async function crash({ replica }: Real, model: Model): Promise<void> {
  await replica.crash()
  replica.boot()
  model.paused = false
}

async function pass({ world }: Real, model: Model, ms: number): Promise<void> {
  const isFair = model.provider === 'fair' && model.store === 'up' && !model.paused
  await world.run(ms)
  model.fairMs = isFair ? model.fairMs + ms : 0
}

/** Waits for an answer; `undefined` if the process is paused, else every call has one in time. */
async function answered<T>(
  real: Real,
  model: Model,
  ending: Promise<Ending<T>>,
): Promise<Ending<T> | undefined> {
  let ended: Ending<T> | undefined
  void ending.then(value => {
    ended = value
  })
  await pass(real, model, 1)
  if (model.paused) return undefined
  for (let waited = 0; ended === undefined; waited += 250) {
    if (waited > ANSWER_MS_MAX * 2) throw new Error('a call was not answered in time')
    await pass(real, model, 250)
  }
  return ended
}

function reasonOf(ending: Ending<unknown>): Reason | undefined {
  if (ending.ok) return undefined
  if (ending.error instanceof BrokerError) return ending.error.reason
  throw ending.error
}

function expectOneOf(reason: Reason | undefined, allowed: readonly (Reason | undefined)[]): void {
  if (!allowed.includes(reason))
    throw new Error(`expected ${allowed.map(String).join(' or ')}, got ${reason ?? 'a token'}`)
}
