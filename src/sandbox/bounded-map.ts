/**
 * A map that forgets its oldest entry instead of growing beyond a limit.
 *
 * @param entriesMax at least 1
 * @param forgotten told about each entry that had to go
 */
export class BoundedMap<Value> {
  readonly #entries = new Map<string, Value>()
  readonly #entriesMax: number
  readonly #forgotten: (value: Value) => void

  constructor(entriesMax: number, forgotten: (value: Value) => void = () => {}) {
    this.#entriesMax = entriesMax
    this.#forgotten = forgotten
  }

  get(key: string): Value | undefined {
    return this.#entries.get(key)
  }

  set(key: string, value: Value): void {
    this.#entries.set(key, value)
    if (this.#entries.size <= this.#entriesMax) return
    for (const [oldest, gone] of this.#entries) {
      this.#entries.delete(oldest)
      this.#forgotten(gone)
      return
    }
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  /** Oldest first. */
  values(): IterableIterator<Value> {
    return this.#entries.values()
  }

  clear(): void {
    this.#entries.clear()
  }
}
