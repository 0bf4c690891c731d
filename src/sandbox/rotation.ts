import type { Behavior } from './behavior.ts'
import { isLive, type RefreshToken } from './state.ts'

/**
 * What a presented refresh token is worth.
 *
 * - `good`: it was never exchanged for a successor, or never is.
 * - `replayed`: it was, and still works because its window is open.
 * - `spent`: it was, and that was all; a second use may be a theft.
 * - `dead`: revoked or expired.
 */
export type Worth = 'good' | 'replayed' | 'spent' | 'dead'

/** Judges a refresh token before its use is counted. */
export function worth(token: RefreshToken, behavior: Behavior, now: number): Worth {
  if (!isLive(token, now)) return 'dead'
  if (token.spentAt === undefined || behavior.replay === 'same') return 'good'
  return behavior.replay === 'window' && isWindowOpen(token, token.spentAt, behavior, now)
    ? 'replayed'
    : 'spent'
}

function isWindowOpen(token: RefreshToken, spentAt: number, behavior: Behavior, now: number): boolean {
  if (behavior.windowEnds === 'time') return now < spentAt + behavior.windowMs
  return !token.successors.some(successor => successor.touched)
}

/**
 * When a refresh token that is issued or extended now ends; undefined = never.
 *
 * @param grantedAt when its grant began, from which an absolute lifetime counts
 */
export function refreshTokenEnd(behavior: Behavior, grantedAt: number, now: number): number | undefined {
  const { refreshTokenLifetimeMs, refreshTokenExpiry } = behavior
  if (refreshTokenLifetimeMs === null) return undefined
  return (refreshTokenExpiry === 'absolute' ? grantedAt : now) + refreshTokenLifetimeMs
}
