import { z } from 'zod'
import { BoundedMap } from './bounded-map.ts'
import { SandboxError } from './errors.ts'
import { parse } from './parse.ts'

/** Accounts per dialect: enough for a load test. The oldest of those that were added goes first. */
const ACCOUNTS_MAX = 200_000
/** As long as the longest identifier a provider uses, with room. */
const TEXT_MAX = 256

const accountSchema = z.strictObject({
  /** The provider's own identifier, unique within the dialect. */
  id: z.string().min(1).max(TEXT_MAX),
  /** What a person reads. */
  name: z.string().min(1).max(TEXT_MAX),
})

/** A made-up user of one dialect's server. */
export type Account = Readonly<z.output<typeof accountSchema>>

/** The users of one dialect's server. */
export interface Accounts {
  /** The dialect's own first. */
  list(): readonly Account[]
  get(id: string): Account | undefined
  /** @throws SandboxError `not_found` */
  need(id: string): Account
  /** The one that answers where nobody chose. */
  first(): Account
  /**
   * Adds an account, or gives it another name.
   *
   * @throws SandboxError `invalid`
   */
  add(account: unknown): Account
  /** Back to those of the start. */
  reset(): void
}

/**
 * @param initial the dialect's own
 * @param further those that are added from the start
 */
export function createAccounts(
  initial: readonly [Account, ...Account[]],
  further: readonly unknown[] = [],
): Accounts {
  const added = new BoundedMap<Account>(ACCOUNTS_MAX)
  const own = new Map(initial.map(account => [account.id, account]))
  const get = (id: string) => added.get(id) ?? own.get(id)
  const add = (input: unknown) => {
    const account = parseAccount(input)
    added.set(account.id, account)
    return account
  }
  const reset = () => {
    added.clear()
    for (const account of further) add(account)
  }
  reset()

  return {
    get,
    list() {
      const renamed = initial.map(({ id }) => get(id)).filter(account => account !== undefined)
      return [...renamed, ...[...added.values()].filter(({ id }) => !own.has(id))]
    },
    need(id) {
      const account = get(id)
      if (account === undefined) throw new SandboxError('not_found', `no account "${id}"; add it first`)
      return account
    },
    first: () => get(initial[0].id) ?? initial[0],
    add,
    reset,
  }
}

/** @throws SandboxError `invalid`, naming the field */
export function parseAccount(input: unknown): Account {
  return parse(accountSchema, input)
}
