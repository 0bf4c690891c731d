/** The life of a process: what is bound to it does nothing any more, and answers nothing, once it has ended. */
export interface Life {
  /** The same object, as long as the process lives. Its methods may be replaced. */
  bind<T extends object>(target: T): T
  whileAlive(callback: () => void): () => void
  /** Ends it at this very moment. */
  end(): void
}

/** Begins a life. */
export function createLife(): Life {
  let alive = true
  const nothing = new Promise<never>(() => {})

  async function answered(answer: Promise<unknown>): Promise<unknown> {
    try {
      const value = await answer
      return alive ? value : nothing
    } catch (error) {
      if (alive) throw error
      return nothing
    }
  }

  function bound(target: object, name: string) {
    return (...input: unknown[]) => {
      if (!alive) return nothing
      // Looked up now, because it may have been replaced there.
      const answer = Reflect.get(target, name)(...input)
      return answer instanceof Promise ? answered(answer) : answer
    }
  }

  return {
    bind<T extends object>(target: T): T {
      const entries = Object.entries(target).map(([name, value]) => [
        name,
        typeof value === 'function' ? bound(target, name) : value,
      ])
      return Object.fromEntries(entries) as T
    },
    whileAlive: callback => () => {
      if (alive) callback()
    },
    end() {
      alive = false
    },
  }
}
