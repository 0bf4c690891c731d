/** Works on items in lanes, so that a lane whose work is slow holds up no other. */
export interface Lanes<T> {
  /** Takes an item, unless it is known already. */
  add(lane: string, id: string, item: T): void
  /** How many items wait or are worked on. */
  size(): number
  /** Starts nothing new; resolves when what is being worked on has ended. */
  stop(): Promise<void>
}

interface Lane<T> {
  readonly waiting: { readonly id: string; readonly item: T }[]
  working: number
}

/**
 * Creates the lanes.
 *
 * @param widthOf how many items of a lane are worked on at once, at least 1
 * @param work    must not reject
 */
export function createLanes<T>(
  widthOf: (lane: string) => number,
  work: (item: T) => Promise<void>,
): Lanes<T> {
  const lanes = new Map<string, Lane<T>>()
  const known = new Set<string>()
  const running = new Set<Promise<void>>()

  function pump(name: string, lane: Lane<T>): void {
    while (lane.working < widthOf(name)) {
      const next = lane.waiting.shift()
      if (next === undefined) return
      lane.working++
      const run = work(next.item).finally(() => {
        lane.working--
        known.delete(next.id)
        running.delete(run)
        pump(name, lane)
      })
      running.add(run)
    }
  }

  return {
    size: () => known.size,
    add(name, id, item) {
      if (known.has(id)) return
      const lane = lanes.get(name) ?? { waiting: [], working: 0 }
      lanes.set(name, lane)
      known.add(id)
      lane.waiting.push({ id, item })
      pump(name, lane)
    },
    async stop() {
      for (const { waiting } of lanes.values()) {
        for (const { id } of waiting.splice(0)) known.delete(id)
      }
      await Promise.all(running)
    },
  }
}
