/** An answer that a server has given and nobody has got. */
export interface KeptAnswer {
  /** Resolves when the server has acted on the request. */
  readonly acted: Promise<void>
  /** Breaks the connection: the answer is lost. */
  lose(): void
  /** Sends it. */
  deliver(): void
}

/** Keeps one answer back at a time. */
export interface AnswerKeeper {
  /** The next answer is kept back. */
  keepNext(): KeptAnswer
  /** To be awaited with each answer, after the server has acted. @returns whether it is to be sent */
  pass(): Promise<boolean>
}

/** Creates a keeper that keeps nothing yet. */
export function createAnswerKeeper(): AnswerKeeper {
  let next: { readonly acted: () => void; readonly isSent: Promise<boolean> } | undefined
  return {
    keepNext() {
      const acted = Promise.withResolvers<void>()
      const isSent = Promise.withResolvers<boolean>()
      next = { acted: acted.resolve, isSent: isSent.promise }
      return {
        acted: acted.promise,
        lose: () => isSent.resolve(false),
        deliver: () => isSent.resolve(true),
      }
    },
    async pass() {
      const kept = next
      next = undefined
      kept?.acted()
      return kept?.isSent ?? true
    },
  }
}
