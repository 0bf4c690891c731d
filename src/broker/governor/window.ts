/** A window is counted in that many parts, so that its size does not depend on how much happens. */
const PARTS = 30

/** Counts of what happened lately. */
export interface WindowCount {
  readonly all: number
  readonly marked: number
}

/** Counts what happened within a span of time, to a thirtieth of it. Times are monotonic milliseconds. */
export interface SlidingWindow {
  add(now: number, marked: boolean): void
  count(now: number): WindowCount
  clear(): void
}

/** Creates an empty window. */
export function createWindow(spanMs: number): SlidingWindow {
  let parts: { readonly index: number; all: number; marked: number }[] = []
  const indexOf = (now: number) => Math.floor((now * PARTS) / spanMs)

  return {
    add(now, marked) {
      const index = indexOf(now)
      parts = parts.filter(part => part.index > index - PARTS)
      let last = parts.at(-1)
      if (last?.index !== index) {
        last = { index, all: 0, marked: 0 }
        parts.push(last)
      }
      last.all++
      if (marked) last.marked++
    },
    count(now) {
      const oldest = indexOf(now) - PARTS
      const counted = parts.filter(part => part.index > oldest)
      return {
        all: counted.reduce((sum, part) => sum + part.all, 0),
        marked: counted.reduce((sum, part) => sum + part.marked, 0),
      }
    },
    clear() {
      parts = []
    },
  }
}
