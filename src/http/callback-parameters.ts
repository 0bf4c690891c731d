import { Secret } from '../secret.ts'

/**
 * Reads the query of a request target, each name and value decoded exactly once (`+` is a space), duplicates and
 * order preserved: whether a duplicate is an attack is for the consent flow to say.
 *
 * @param target       a path with or without a query
 * @param countMax     how many parameters a callback may have
 * @returns undefined if there are more
 */
export function callbackParameters(
  target: string,
  countMax: number,
): readonly (readonly [name: string, value: Secret])[] | undefined {
  const start = target.indexOf('?')
  // URLSearchParams drops one leading question mark: ours, and never one that belongs to a name.
  const query = new URLSearchParams(start === -1 ? '' : target.slice(start))
  return query.size > countMax
    ? undefined
    : [...query].map(([name, value]) => [name, new Secret(value)] as const)
}
