import type { RefreshFailure, RefreshSuccess } from '../../src/store/rows.ts'
import { plainOf } from './truth.ts'
import type { Plant } from './world.ts'

/**
 * Faults that brokers have had, planted between the broker and its store. The simulation has to find each: else it
 * would not find them in the broker either.
 */
export const MUTATIONS: Readonly<Record<string, Plant>> = {
  /** Callers are answered before the tokens are stored: the store says yes, and writes a little later. */
  'answers before the commit': async (call, { scheduler, truth }) => {
    if (call.method !== 'commitRefresh') return call.proceed()
    const [{ id }, outcome] = call.args as [{ id: string }, RefreshSuccess]
    const row = truth.rows.find(one => one.id === id)
    if (row === undefined) return call.proceed()
    scheduler.after(50, () => void call.proceed(), { owner: call.process })
    const { sealedRefreshToken = row.sealedRefreshToken } = outcome
    return { ...row, ...outcome, counter: row.counter + 1, sealedRefreshToken, attemptId: undefined }
  },

  /** Textbook fencing: whoever has lost the lease may store nothing, not even the only token that works. */
  'fences successes': async (call, { truth, profile }) => {
    const [base] = call.args as [{ id: string }]
    const row = truth.rows.find(one => one.id === base?.id)
    const isOutcome = call.method === 'commitRefresh' || call.method === 'keepSibling'
    const isFenced = profile.replicas > 1 && row?.leaseOwner !== call.process.name
    return isOutcome && isFenced ? undefined : call.proceed()
  },

  /** A failure is recorded as if the server could not have acted. */
  'forgets that an outcome is unknown': call => {
    const [, failure] = call.args as [unknown, RefreshFailure]
    if (call.method !== 'failRefresh') return call.proceed()
    return call.proceed([call.args[0], { ...failure, outcomeUnknown: false }])
  },

  /** The last write wins, whatever it was based on. */
  'does not compare counters': (call, { truth }) => {
    const [base] = call.args as [{ id: string }]
    const row = truth.rows.find(one => one.id === base?.id)
    if (call.method !== 'commitRefresh' || row === undefined) return call.proceed()
    return call.proceed([{ ...base, counter: row.counter, grantEpoch: row.grantEpoch }, call.args[1]])
  },

  /** A refusal ends the connection at once, whoever holds the lease. */
  'believes the first refusal': call => {
    const [, failure] = call.args as [unknown, RefreshFailure]
    if (call.method !== 'failRefresh' || failure.error.class !== 'reauthorize') return call.proceed()
    return call.proceed([
      call.args[0],
      { ...failure, state: 'REAUTH_REQUIRED', stateReason: 'GRANT_REFUSED' },
    ])
  },

  /** A lease is given to whoever asks. */
  'grants every lease': call => {
    if (call.method !== 'beginAttempt') return call.proceed()
    const [attempt] = call.args as [{ now: number }]
    return call.proceed([{ ...attempt, now: Number.MAX_SAFE_INTEGER }])
  },

  /** The new refresh token is not stored; Zammad #3411, PostHog #49714 and Airbyte #7296 did that. */
  'keeps the old refresh token': call => {
    const [, outcome] = call.args as [unknown, RefreshSuccess]
    if (call.method !== 'commitRefresh') return call.proceed()
    return call.proceed([call.args[0], { ...outcome, sealedRefreshToken: undefined }])
  },

  /** What is stored stays as it was told on a clock that has been set back since. */
  'keeps the ends of tokens': async call => {
    return call.method === 'bringForward' ? undefined : call.proceed()
  },

  /** Disconnecting forgets without the row leaving the store. */
  'disconnects in name only': async (call, { truth }) => {
    if (call.method !== 'removeConnection') return call.proceed()
    const row = truth.rows.find(one => one.account === call.args[1])
    const grant = row && truth.server.grantOf(plainOf(row.sealedAccessToken))
    if (grant !== undefined) truth.disconnected.set(grant, { process: call.process })
    return row
  },

  /** A revocation that could not be sent at once is forgotten, so that the provider goes on taking the token. */
  'gives up a revocation that fails': call => {
    if (call.method !== 'rescheduleRevocation') return call.proceed()
    const [id] = call.args as [string]
    return call.proceed([id, Number.MAX_SAFE_INTEGER, 1])
  },
}
