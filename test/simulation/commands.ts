import type { AsyncCommand } from 'fast-check'
import fc from 'fast-check'
import type { Ending } from './acts.ts'
import { checkGet, checkGood, checkRefresh, checkStored, type Model, pass, type Real } from './model.ts'
import type { ProviderMode, StoreMode } from './profile.ts'

type Command = AsyncCommand<Model, Real>

/** Callers wait for 10 s at the most; the rest is the store's. */
const ANSWER_MS_MAX = 10_500

/** How often a provider is fair, and a store up, when it changes: in trouble most answers are possible. */
const CALM = 6

/** A command, with what it draws. Trouble is rare enough that the broker gets over it. */
export function anyCommand(): fc.Arbitrary<Command> {
  const troubles: ProviderMode[] = ['flaky', 'dead', 'silent', 'misconfigured', 'lying']
  const provider = fc.oneof(
    { weight: CALM, arbitrary: fc.constant<ProviderMode>('fair') },
    { weight: troubles.length, arbitrary: fc.constantFrom(...troubles) },
  )
  const store = fc.oneof(
    { weight: CALM, arbitrary: fc.constant<StoreMode>('up') },
    { weight: 3, arbitrary: fc.constantFrom<StoreMode>('down', 'full', 'busy') },
  )
  const ticks = [
    fc.integer({ min: 1, max: 500 }),
    fc.integer({ min: 500, max: 600_000 }),
    fc.integer({ min: 120_000, max: 7_200_000 }),
  ]
  return fc.oneof(
    { weight: 10, arbitrary: fc.constantFrom(undefined, 0, 20_000).map(get) },
    { weight: 10, arbitrary: fc.constant(refresh()) },
    { weight: 1, arbitrary: fc.constant(disconnect()) },
    { weight: 4, arbitrary: fc.constant(connect()) },
    { weight: 12, arbitrary: fc.oneof(...ticks).map(tick) },
    { weight: 2, arbitrary: fc.constant(plain('crash', crash)) },
    { weight: 1, arbitrary: fc.constant(plain('pause', pause)) },
    { weight: 4, arbitrary: fc.constant(plain('resume', resume)) },
    { weight: 4, arbitrary: provider.map(providerIs) },
    { weight: 4, arbitrary: store.map(storeIs) },
    { weight: 1, arbitrary: fc.integer({ min: -3_600_000, max: 864_000_000 }).map(jump) },
  )
}

/** Connects, as the first thing that happens. */
export function connectFirst(model: Model, real: Real): Promise<void> {
  return connect().run(model, real)
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
    const before = { ...model }
    const ending = await answered(real, model, real.acts.get(real.replica, '', { minTtlMs }))
    if (ending === undefined) return
    checkGet(real, model, before, ending)
    if (minTtlMs === 0) checkGood(real, before, ending)
  })
}

function refresh(): Command {
  return plain('refresh', async (real, model) => {
    const before = { ...model }
    const startedAt = real.world.scheduler.now()
    const ending = await answered(real, model, real.acts.refresh(real.replica, ''))
    if (ending === undefined) model.forcedAt = 'unknown'
    else checkRefresh(real, model, before, startedAt, ending)
  })
}

function disconnect(): Command {
  return plain(
    'disconnect',
    async (real, model) => {
      const before = { ...model }
      const ending = await answered(real, model, real.acts.disconnect(real.replica, ''))
      if (ending !== undefined) checkStored(model, before, ending)
      model.connected = ending?.ok ? 'no' : model.connected === 'no' ? 'no' : 'unknown'
      model.forcedAt = undefined
    },
    isRunning,
  )
}

function connect(): Command {
  return plain(
    'connect',
    async (real, model) => {
      const before = { ...model }
      const ending = await answered(real, model, real.acts.connect(real.replica, ''))
      if (ending !== undefined) checkStored(model, before, ending)
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
  model.forcedAt = undefined
}

async function pause({ replica }: Real, model: Model): Promise<void> {
  if (!model.paused) replica.pause()
  model.paused = true
}

async function resume({ replica }: Real, model: Model): Promise<void> {
  if (model.paused) replica.resume()
  model.paused = false
}

function providerIs(mode: ProviderMode): Command {
  return plain(`provider ${mode}`, async ({ world }, model) => {
    model.provider = world.modes.provider = mode
  })
}

function storeIs(mode: StoreMode): Command {
  return plain(`store ${mode}`, async ({ world }, model) => {
    model.store = world.modes.store = mode
  })
}

function jump(ms: number): Command {
  return plain(`jump ${ms}`, async ({ replica }, model) => {
    replica.setClock(replica.wallOffset + ms)
    model.clockMs = 0
  })
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
