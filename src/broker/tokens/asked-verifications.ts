import type { CallerIdentity } from '../broker.ts'
import type { Connection } from '../connection.ts'
import { sendInTurn } from '../governor/governed-client.ts'
import type { CallerLimit } from '../policy/caller-limit.ts'
import type { Clock } from '../ports.ts'
import type { ProviderHandle } from '../providers.ts'
import { type Verification, verifyToken } from './verification.ts'

/** So long an answer is given again: a page that asks for each viewer does not ask the provider for each. */
const REUSED_MS = 5_000
/** How many tokens are remembered for that; the oldest is forgotten first. As many as forced refreshes. */
const REMEMBERED_MAX = 10_000

/** Verifies access tokens because callers ask for it. */
export interface AskedVerifications {
  /**
   * What the provider says of the access token at hand: now, or to whom asked some seconds ago. Callers who ask at
   * the same time share one request, which waits behind everybody who needs a token.
   *
   * @param connection `null` = the static token
   * @param caller     whose limit it counts for if the provider has to be asked; absent = nobody's
   * @throws BrokerError `RATE_LIMITED`
   */
  verify(
    handle: ProviderHandle,
    connection: Connection | null,
    caller: CallerIdentity | undefined,
  ): Promise<Verification>
}

interface Asked {
  readonly verification: Promise<Verification>
  /** On the monotonic clock; absent = it goes on. */
  endedAt?: number
}

/** Creates the verifications of all connections. */
export function createAskedVerifications(limit: CallerLimit, clock: Clock): AskedVerifications {
  const asked = new Map<string, Asked>()

  function remember(key: string, verification: Promise<Verification>): void {
    const entry: Asked = { verification }
    asked.delete(key)
    asked.set(key, entry)
    const oldest = asked.keys().next().value
    if (asked.size > REMEMBERED_MAX && oldest !== undefined) asked.delete(oldest)
    verification.then(
      () => {
        entry.endedAt = clock.monotonic()
      },
      () => {
        if (asked.get(key) === entry) asked.delete(key)
      },
    )
  }

  return {
    async verify(handle, connection, caller) {
      const key = connection === null ? `static ${handle.provider.id}` : tokenKey(connection)
      const known = asked.get(key)
      const isFresh = known?.endedAt === undefined || clock.monotonic() - known.endedAt < REUSED_MS
      if (known !== undefined && isFresh) return known.verification
      if (caller !== undefined) limit.admit(caller.name)
      const verification = verifyToken({ ...handle, client: unhurried(handle) }, connection, clock)
      remember(key, verification)
      return verification
    },
  }
}

/** A token that was replaced meanwhile is another one. */
function tokenKey({ row: { id, version } }: Connection): string {
  return `${id} ${version}`
}

/** The client whose verifications wait like renewals: nobody's work depends on them. */
function unhurried({ client, ungoverned, governor }: ProviderHandle): ProviderHandle['client'] {
  return {
    ...client,
    verify: input => sendInTurn(governor, 'renewal', 'verify', () => ungoverned.verify(input)),
  }
}
