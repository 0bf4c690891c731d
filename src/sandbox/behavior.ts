import { z } from 'zod'
import { replaySchema } from '../providers/definition.ts'
import { parse } from './parse.ts'

/** The longest lifetime that can be asked for: ten years, far beyond what any provider promises. */
const LIFETIME_MS_MAX = 10 * 365 * 24 * 3_600_000

const lifetime = z.number().int().positive().max(LIFETIME_MS_MAX)

const behaviorSchema = z.strictObject({
  /** How long an authorization code can be exchanged. */
  codeLifetimeMs: lifetime,
  /** null = access tokens never expire and the answer has no expiry. */
  accessTokenLifetimeMs: lifetime.nullable(),
  /** null = refresh tokens never expire. */
  refreshTokenLifetimeMs: lifetime.nullable(),
  /** `sliding`: each refresh starts the lifetime anew; `absolute`: it counts from the consent. */
  refreshTokenExpiry: z.enum(['sliding', 'absolute']),
  /** Whether a consent yields a refresh token at all. */
  issuesRefreshToken: z.boolean(),
  /** What happens to a used refresh token; the definitions' own words. */
  replay: replaySchema,
  /** Whether every consent of an account to a client yields the refresh token that already works for them. */
  sharesRefreshToken: z.boolean(),
  /** With `replay: same`: leave the unchanged refresh token out of the answer, instead of repeating it. */
  omitsUnchanged: z.boolean(),
  /** With `replay: window` and `windowEnds: time`: how long a used refresh token goes on working. */
  windowMs: lifetime,
  /** With `replay: window`: it ends by time, or when the successor (or its access token) is first used. */
  windowEnds: z.enum(['time', 'first_use']),
  /**
   * With `replay: window`: what a replay answers. `same`: the successor again. `new`: one more, all of them
   * work. `newest`: one more, and the successors handed out before stop working.
   */
  windowSuccessor: z.enum(['same', 'new', 'newest']),
  /** Whether a refresh ends the grant's earlier access tokens. */
  killsAccessToken: z.boolean(),
  /** Whether a token carries everything that its user ever allowed this client. */
  cumulativeScopes: z.boolean(),
  /** What revoking a token ends: it alone, its grant, or all grants of the account at this client. */
  revokes: z.enum(['token', 'grant', 'account']),
  /** Whether authorization requests without an S256 challenge are refused. Public clients always need one. */
  requiresPkce: z.boolean(),
  /** `ask` shows the consent page; the others answer at once, for tests without a browser. */
  consent: z.enum(['ask', 'allow', 'deny']),
  /** With `consent: allow`: whose account; null = the first of the dialect's. */
  consentAccountId: z.string().nullable(),
  /** With `consent: allow`: scopes that the user leaves unticked. */
  consentWithheldScopes: z.array(z.string()),
  /** Whether the consent page is reached over a second origin of the sandbox, as big providers do it. */
  detour: z.boolean(),
})

/** What a dialect's server does where real ones differ. Lifetimes are milliseconds. */
export type Behavior = Readonly<z.output<typeof behaviorSchema>>
/** Some of it. */
export type BehaviorPatch = Partial<Behavior>

/** What dialects start from: a plain RFC 6749 server that rotates strictly. */
export const PLAIN_BEHAVIOR: Behavior = {
  codeLifetimeMs: 60_000,
  accessTokenLifetimeMs: 3_600_000,
  refreshTokenLifetimeMs: null,
  refreshTokenExpiry: 'sliding',
  issuesRefreshToken: true,
  replay: 'single_use',
  sharesRefreshToken: false,
  omitsUnchanged: true,
  windowMs: 30_000,
  windowEnds: 'time',
  windowSuccessor: 'same',
  killsAccessToken: false,
  cumulativeScopes: false,
  revokes: 'grant',
  requiresPkce: false,
  consent: 'ask',
  consentAccountId: null,
  consentWithheldScopes: [],
  detour: false,
}

/** The behaviour of one dialect's server, changeable while it runs. */
export interface Behaviors {
  /** What holds for a client: the dialect's own, what was changed for all, what was changed for this client. */
  of(clientId?: string): Behavior
  /**
   * Changes what the patch names, for all clients or for one.
   *
   * @throws SandboxError `invalid`
   */
  change(patch: unknown, clientId?: string): Behavior
  /** Back to how the sandbox was started. */
  reset(): void
}

/** @param initial the dialect's behaviour with the sandbox's options applied */
export function createBehaviors(initial: Behavior): Behaviors {
  const perClient = new Map<string, BehaviorPatch>()
  let forAll: BehaviorPatch = {}
  const of = (clientId = '') => ({ ...initial, ...forAll, ...perClient.get(clientId) })

  return {
    of,
    change(patch, clientId) {
      const checked = parseBehaviorPatch(patch)
      if (clientId === undefined) forAll = { ...forAll, ...checked }
      else perClient.set(clientId, { ...perClient.get(clientId), ...checked })
      return of(clientId)
    },
    reset() {
      forAll = {}
      perClient.clear()
    },
  }
}

/** @throws SandboxError `invalid`, naming the field */
export function parseBehaviorPatch(patch: unknown): BehaviorPatch {
  const checked = parse(behaviorSchema.partial(), patch)
  // What is named and undefined is meant as absent, and must not hide what it is laid upon.
  return Object.fromEntries(Object.entries(checked).filter(([, value]) => value !== undefined))
}
