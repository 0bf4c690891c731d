/** Lets only so many actions run at once; the others wait in the order they came. */
export function createGate(atOnceMax: number): <T>(action: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = []
  let free = atOnceMax
  return async action => {
    if (free > 0) free--
    else await new Promise<void>(enter => waiting.push(enter))
    try {
      return await action()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free++
      else next()
    }
  }
}
