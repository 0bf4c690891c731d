/**
 * The remaining lifetime as `expires_in` states it: whole seconds, rounded down, so that nobody relies on a
 * token that is dead. undefined = it never expires, and the answer says nothing.
 *
 * @param now milliseconds since the epoch
 */
export function secondsLeft(token: { readonly expiresAt?: number }, now: number): number | undefined {
  return token.expiresAt === undefined ? undefined : Math.floor((token.expiresAt - now) / 1000)
}
