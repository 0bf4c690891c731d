/** A JSON object as YAML or a built-in gives it. */
export type Data = { readonly [key: string]: unknown }

/** Whether a value is a plain object, neither null nor an array. */
export function isData(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Lays `over` onto `base`: objects merge key by key, everything else replaces.
 * Neither argument is changed.
 */
export function merge(base: Data, over: Data): Data {
  const merged: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key]
    merged[key] = isData(below) && isData(value) ? merge(below, value) : value
  }
  return merged
}
