import { CreateConsentLinkRequest } from '../../src/gen/tokenbroker/v1/admin.ts'
import { Shared } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { walkConsent } from '../e2e/consent-walk.ts'
import { DIALECT, PROVIDER } from './home.ts'
import type { Program } from './program.ts'
import { isDead } from './settle.ts'
import { elapse } from './until.ts'
import type { World } from './world.ts'

/** What is done to one connection, and what must hold of it after a fault, whatever the fault was. */
export interface Operation {
  readonly name: string
  prepare(world: World, program: Program, account: string): Promise<Subject>
  /** Whether it was said to have succeeded. */
  act(program: Program, subject: Subject): Promise<boolean>
  /**
   * Held against the truth once the broker is at rest.
   *
   * @returns which promise is broken; undefined = none
   */
  check(world: World, program: Program, subject: Subject, isDone: boolean): Promise<string | undefined>
}

export interface Subject {
  readonly account: string
  /** Where the browser starts; empty where there is no consent. */
  readonly link: string
}

/** No answer within that time is a failure like any other. */
const ACT_MS_MAX = 20_000
const LIFETIME_MS = 3_600_000
/** When it is tried: a rejected version is believed three times a minute. */
const WORKS_AFTER_MS = [0, 2_000, 8_000] as const

/** Every write, sync and socket call of these is met with every fault. */
export const OPERATIONS: readonly Operation[] = [
  {
    name: 'a refresh',
    prepare: connected,
    act: (program, { account }) =>
      succeeds(async () => {
        const { tokens } = program
        return (await program.call(tokens, tokens.refresh, { provider: PROVIDER, account })).refreshed
      }),
    check: (world, program, { account }) => worksStill(world, program, account),
  },
  {
    name: 'a consent',
    prepare: (_, program, account) => withLink(program, account),
    act: consents,
    async check(world, program, { account }, isDone) {
      const isConnected = (await program.statuses()).has(account)
      if (isConnected) return worksStill(world, program, account)
      return isDone ? 'the page says connected, and it is not' : undefined
    },
  },
  {
    name: 'another consent of a connection',
    async prepare(world, program, account) {
      await connected(world, program, account)
      return withLink(program, account)
    },
    act: consents,
    check: (world, program, { account }) => worksStill(world, program, account),
  },
  {
    name: 'a disconnect',
    prepare: connected,
    act: (program, { account }) =>
      succeeds(async () => {
        const { tokens } = program
        const request = { provider: PROVIDER, account, shared: Shared.REVOKE }
        await program.call(tokens, tokens.disconnect, request)
        return true
      }),
    // What is to be revoked is held against the outbox, when all is over.
    async check(world, program, { account }, isDone) {
      const isConnected = (await program.statuses()).has(account)
      if (!isConnected) return undefined
      return isDone ? 'disconnected, and still there' : worksStill(world, program, account)
    },
  },
]

async function connected(world: World, program: Program, account: string): Promise<Subject> {
  await world.connect(program, [account], LIFETIME_MS)
  return { account, link: '' }
}

async function withLink(program: Program, account: string): Promise<Subject> {
  const request = CreateConsentLinkRequest.fromPartial({
    provider: PROVIDER,
    account,
    allowAccountChange: true,
  })
  const { url } = await program.call(program.admin, program.admin.createConsentLink, request)
  return { account, link: url }
}

function consents(_: Program, { link }: Subject): Promise<boolean> {
  return succeeds(async () => (await walkConsent(link)).result.includes('Connected'))
}

async function succeeds(act: () => Promise<boolean>): Promise<boolean> {
  const overdue = new AbortController()
  const tooLong = elapse(ACT_MS_MAX, overdue.signal).then(
    () => false,
    () => false,
  )
  try {
    return await Promise.race([act().catch(() => false), tooLong])
  } finally {
    overdue.abort()
  }
}

/** Whether the provider takes the refresh token that is held, found out by a refresh. */
async function worksStill(world: World, program: Program, account: string): Promise<string | undefined> {
  const status = (await program.statuses()).get(account)
  if (status === undefined) return 'the connection is gone'
  if (isDead(status)) return `reported lost: ${status.diagnosis}`
  const { version } = status
  let why = ''
  for (const pauseMs of WORKS_AFTER_MS) {
    await elapse(pauseMs)
    try {
      const token = await program.getToken(account, { rejectedVersion: version })
      if (token.version === version) return 'the rejected token was handed out again'
      return world.accepted('access').has(token.accessToken)
        ? undefined
        : 'the provider refuses the new token'
    } catch (error) {
      // Tokens in the spool are not spent before they are stored, and what failed is not tried again at once.
      why = (error as Error).message
    }
  }
  return `it cannot be refreshed: ${why}`
}

/** Grants that are neither connected nor dead nor waiting to be revoked, by account: nobody would ever end them. */
export function forgottenGrants(
  { sandbox, grants }: World,
  connectedAccounts: ReadonlySet<string>,
  revocations: ReadonlySet<string>,
): string[] {
  const living = new Set(
    sandbox.control
      .listTokens({ dialect: DIALECT })
      .filter(({ kind, live }) => kind === 'refresh' && live)
      .map(({ grantId }) => grantId),
  )
  return [...grants]
    .filter(([account, { grantId }]) => living.has(grantId) && !connectedAccounts.has(account))
    .map(([account]) => account)
    .filter(account => !revocations.has(account))
}
