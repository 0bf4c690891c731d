/** Freezes a value and everything in it; maps refuse to change too. Answers the same value. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  if (value instanceof Map) freezeMap(value)
  for (const inner of value instanceof Map ? value.values() : Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}

/** `Object.freeze` does not reach the entries of a map. */
function freezeMap(map: Map<unknown, unknown>): void {
  const refuse = () => {
    throw new TypeError('the configuration is frozen')
  }
  for (const method of ['set', 'delete', 'clear']) Object.defineProperty(map, method, { value: refuse })
}
