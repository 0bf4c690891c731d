import type { AccessToken } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import type { Program } from './program.ts'
import { elapse } from './until.ts'

/** Callers that ask without end. */
export interface Load {
  /** Resolves when every call has been answered. */
  end(): Promise<Answers>
}

export interface Answers {
  readonly tokens: number
  /** How often, by message. */
  readonly refusals: ReadonlyMap<string, number>
}

/** Milliseconds between two calls of one caller. */
const PAUSE_MS = 25

/**
 * Lets callers ask for the tokens of accounts in turn.
 *
 * @param onToken sees each token as it arrives
 */
export function keepCalling(
  program: Program,
  accounts: readonly string[],
  callers: number,
  onToken: (token: AccessToken, account: string) => void = () => {},
): Load {
  let hasEnded = false
  let tokens = 0
  const refusals = new Map<string, number>()

  async function ask(first: number): Promise<void> {
    for (let at = first; !hasEnded; at += callers) {
      const account = accounts[at % accounts.length] ?? ''
      try {
        onToken(await program.getToken(account), account)
        tokens++
      } catch (error) {
        const { message } = error as Error
        refusals.set(message, (refusals.get(message) ?? 0) + 1)
      }
      await elapse(PAUSE_MS)
    }
  }

  const asking = Array.from({ length: callers }, (_, first) => ask(first))
  return {
    async end() {
      hasEnded = true
      await Promise.all(asking)
      return { tokens, refusals }
    },
  }
}
