/**
 * Checks how many rows are asked for. SQLite takes a negative limit for none at all.
 *
 * @throws RangeError if it is no whole number from 1
 */
export function checkLimit(limit: number): number {
  if (Number.isSafeInteger(limit) && limit >= 1) return limit
  throw new RangeError(`a limit of ${limit} rows makes no sense; ask for at least one`)
}
