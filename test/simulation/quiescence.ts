import type { ConnectionRow } from '../../src/store/rows.ts'
import type { Acts, Ending } from './acts.ts'
import type { Grant, Presentation } from './authorization-server.ts'
import type { Replica } from './replica.ts'
import { candidatesOf, grantOfRow, isLost, type Truth } from './truth.ts'
import { describe, type World } from './world.ts'

/** How long a world is left alone before everything has to be settled: the longest wait, and a renewal. */
const SETTLE_MS = 180_000
/** Verdicts that were never true are found out by the probes 10 minutes, an hour and a day after them. */
const PROBES_MS = [660_000, 3_660_000, 86_500_000] as const
const ANSWER_MS = 30_000
/** What a caller is told while another replica renews, and how often it comes back. */
const RETRY_AFTER_MS = 1_000
const ASKS_MAX = 5
/** Revocations that failed for long are tried hourly; one of two that are due at once may be turned away once more. */
const REVOCATIONS_MS = 7_400_000

/** Heals everything, lets time pass, and checks that nothing was lost silently and nothing is stuck. */
export async function quiesce(world: World, acts: Acts): Promise<void> {
  const { truth, modes, profile } = world
  truth.note('everything heals')
  modes.provider = 'fair'
  modes.store = 'up'
  for (const replica of world.replicas) heal(replica)
  await world.run(SETTLE_MS)
  for (const wait of PROBES_MS) {
    if (truth.rows.some(row => isFalselyDead(world, row))) await world.run(wait)
  }
  await world.run(profile.habits.lifetime * 1_000)
  await settleUnstarted(world)
  for (const row of truth.rows) checkSettled(world, row)
  for (const replica of world.replicas) {
    if (replica.spool.commits.length > 0) truth.violate('stuck', 'tokens still wait in a spool')
    for (const account of profile.accounts) await checkAnswer(world, acts, replica, account)
  }
  await checkDisconnected(world)
  // What was read just now is about to be stored.
  await settleUnstarted(world)
  checkNothingDiscarded(world)
  await world.check()
}

function heal(replica: Replica): void {
  if (replica.process.paused && replica.process.alive) replica.resume()
  if (!replica.process.alive) replica.boot()
}

/** Attempts of the moment end by themselves. */
async function settleUnstarted(world: World): Promise<void> {
  for (let tries = 0; tries < 10; tries++) {
    if (world.truth.rows.every(({ attemptId }) => attemptId === undefined)) return
    await world.run(1_000)
  }
}

function isFalselyDead({ truth, scheduler }: World, row: ConnectionRow): boolean {
  return row.state === 'REAUTH_REQUIRED' && isAlive(truth, row, scheduler.now())
}

function isAlive({ server }: Truth, row: ConnectionRow, now: number): boolean {
  return candidatesOf(row).some(token => server.accepts(token, now))
}

/** Either the server takes what is stored, and the connection is ACTIVE; or it does not, and that is said. */
function checkSettled({ truth, scheduler }: World, row: ConnectionRow): void {
  const alive = isAlive(truth, row, scheduler.now())
  const what = describe(row)
  const unsettled = row.outcomeUnknownSince !== undefined || (row.suspect && row.state === 'ACTIVE')
  if (row.attemptId !== undefined || unsettled) truth.violate('stuck', `nothing is settled: ${what}`)
  else if (alive && row.state !== 'ACTIVE') truth.violate('false report', what)
  else if (!alive && row.state !== 'REAUTH_REQUIRED') truth.violate('silent loss', what)
  else if (!alive) checkLoss(truth, row)
}

/** A loss is reported; and nobody but the server could help it, which kills what it has not delivered. */
function checkLoss(truth: Truth, row: ConnectionRow): void {
  truth.tally.reportedLosses++
  const { habits } = truth.server
  const presentations = grantOfRow(truth, row)?.presentations ?? []
  if (habits.replay === 'same')
    truth.violate('needless loss', `refresh tokens of this server stay the same: ${describe(row)}`)
  else if (!presentations.some(one => isLost(truth, one) || wasUnavoidable(truth, one)))
    truth.violate('needless loss', `every answer of the server was stored, and yet: ${describe(row)}`)
}

/** Whether who used a token again could not know of its successor: it was stored later, or the sender was paused. */
function wasUnavoidable(truth: Truth, { refreshToken, request, order }: Presentation): boolean {
  const exchange = truth.exchanges.get(request)
  const former = truth.server
    .grantOf(refreshToken)
    ?.presentations.find(one => one.refreshToken === refreshToken && one.order < order)
  if (exchange === undefined || former?.successor === undefined) return false
  const storedAt = truth.storedAt.get(former.successor) ?? Number.POSITIVE_INFINITY
  return exchange.stale || storedAt > exchange.sentAt
}

/** A connection that lives yields tokens at every replica; what does not is refused for the right reason. */
async function checkAnswer(
  world: World,
  acts: Acts,
  replica: Replica,
  account: string,
  asksLeft = ASKS_MAX,
): Promise<void> {
  const { truth, scheduler } = world
  let ending: Ending<string> | undefined
  void acts.get(replica, account).then(ended => {
    ending = ended
  })
  for (const until = scheduler.now() + ANSWER_MS; ending === undefined && scheduler.now() < until; )
    await world.run(100)
  const row = truth.rows.find(one => one.account === account)
  const name = `${replica.process.name} about "${account}"`
  if (ending === undefined) return truth.violate('stuck', `no answer from ${name}`)
  const alive = row !== undefined && isAlive(truth, row, scheduler.now())
  const isShared = world.profile.replicas > 1
  if (alive && !ending.ok && (isShared || row.attemptId !== undefined) && asksLeft > 1) {
    // Another replica renews it just now, or did when it was asked for: whoever asks is told to come back in a second.
    await world.run(RETRY_AFTER_MS)
    return checkAnswer(world, acts, replica, account, asksLeft - 1)
  }
  if (alive && !ending.ok) truth.violate('withheld', `${name}: ${String(ending.error)}, but ${describe(row)}`)
  if (row === undefined && ending.ok) truth.violate('I7', `${name} answers a token of what is not connected`)
}

/** What a process has read and lived to store is in a row, beside one, in a spool or filed for revocation: a lost lease is no reason. */
function checkNothingDiscarded({ truth }: World): void {
  for (const { number, refreshToken = '', process } of truth.exchanges.values()) {
    const grant = truth.server.grantOf(refreshToken)
    const presentation = grant?.presentations.find(({ request }) => request === number)
    const { successor, answer } = presentation ?? {}
    if (!process.alive || answer !== 'read' || successor === undefined) continue
    if (!truth.durable.has(successor)) {
      truth.violate('discarded', `${process.name} read ${successor}, which was never stored`)
    }
  }
}

/** A disconnected grant is dead at the provider, and nothing of it is kept. */
async function checkDisconnected(world: World): Promise<void> {
  const { truth, scheduler } = world
  const { disconnected, server, tally } = truth
  const living = () =>
    [...disconnected.keys()].flatMap(grant =>
      server.living(grant, scheduler.now()).filter(token => !isOutOfReach(truth, grant, token)),
    )
  for (const until = scheduler.now() + REVOCATIONS_MS; scheduler.now() < until; await world.run(60_000)) {
    if (living().length === 0 && (await world.countRevocations()) === 0) break
  }
  for (const token of living()) truth.violate('not revoked', `${token} works, though it was disconnected`)
  const left = await world.countRevocations()
  if (left > 0) truth.violate('not revoked', `${left} revocations with their tokens are still stored`)
  const alive = [...disconnected.keys()].filter(grant => server.living(grant, scheduler.now()).length > 0)
  tally.leftAlive += alive.length
}

/**
 * Whether nobody could have revoked that token: no process that lived on has ever read it, and the server ends no
 * grant by a token that was used before, which is all that there is to send.
 */
function isOutOfReach(truth: Truth, { presentations }: Grant, token: string): boolean {
  const { replay, revokesByUsedToken } = truth.server.habits
  if (revokesByUsedToken || replay === 'same') return false
  const bringers = presentations.filter(({ successor }) => successor === token)
  return bringers.length > 0 && bringers.every(one => isLost(truth, one))
}
