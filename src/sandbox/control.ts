import type { Account } from './accounts.ts'
import type { Behavior, BehaviorPatch } from './behavior.ts'
import type { Client, ClientInput, Clients } from './clients.ts'
import {
  createGrant,
  endTokens,
  type GrantedTokens,
  type GrantRequest,
  grantsOf,
  revokeGrants,
} from './control-grants.ts'
import type { FaultInput } from './fault.ts'
import type { Fault, Faults } from './faults.ts'
import { findSite, type Site } from './site.ts'
import { expireToken, revokeToken } from './state.ts'
import type { Traffic, TrafficFilter, TrafficRecord } from './traffic.ts'
import {
  type GrantFilter,
  type GrantView,
  type TokenView,
  viewAccessToken,
  viewGrant,
  viewRefreshToken,
} from './views.ts'

/**
 * Everything that a test may decide about the sandbox; the HTTP control API says the same (docs/sandbox.md).
 *
 * Every method throws SandboxError: `invalid` for what is malformed, `not_found` for what is not there.
 */
export interface SandboxControl {
  addFault(rule: FaultInput): Fault
  listFaults(): readonly Fault[]
  /** Absent id = all. */
  clearFaults(id?: string): void

  behaviorOf(dialect: string, clientId?: string): Behavior
  /** Changes what the patch names, for every client of the dialect or for one. */
  changeBehavior(dialect: string, patch: BehaviorPatch, clientId?: string): Behavior

  registerClient(client: ClientInput): Client
  listClients(): readonly Client[]
  addAccount(dialect: string, account: Account): Account
  listAccounts(dialect: string): readonly Account[]

  createGrant(request: GrantRequest): GrantedTokens
  listGrants(filter?: GrantFilter): readonly GrantView[]
  listTokens(filter?: GrantFilter): readonly TokenView[]
  /** Lets every living token of a kind expire now. Answers how many there were. */
  expireTokens(kind: TokenView['kind'], filter?: GrantFilter): number
  /** Revokes every living token of a kind, or whole grants, as a user does in the provider's settings. */
  revoke(kind: TokenView['kind'] | 'grant', filter?: GrantFilter): number

  listRequests(filter?: TrafficFilter): readonly TrafficRecord[]
  countRequests(filter?: TrafficFilter): number
  /** Back to how the sandbox was started: no grants, no faults, no counts. */
  reset(): void
}

/** What the control works on. */
export interface ControlParts {
  readonly sites: ReadonlyMap<string, Site>
  readonly clients: Clients
  readonly faults: Faults
  readonly traffic: Traffic
}

export function createControl({ sites, clients, faults, traffic }: ControlParts): SandboxControl {
  const site = (id: string) => findSite(sites, id)
  const knownDialect = <Named extends { readonly dialect?: string }>(named: Named): Named => {
    if (named.dialect !== undefined) site(named.dialect)
    return named
  }
  return {
    addFault: rule => faults.add(knownDialect(rule)),
    listFaults: () => faults.list(),
    clearFaults: id => faults.clear(id),
    behaviorOf: (dialect, clientId) => site(dialect).realm.behaviors.of(clientId),
    changeBehavior: (dialect, patch, clientId) => site(dialect).realm.behaviors.change(patch, clientId),
    registerClient: client => clients.register(client),
    listClients: () => clients.list(),
    addAccount: (dialect, account) => site(dialect).realm.accounts.add(account),
    listAccounts: dialect => site(dialect).realm.accounts.list(),
    createGrant: request => createGrant(site(request.dialect), request),
    listGrants: (filter = {}) =>
      grantsOf(sites, knownDialect(filter)).map(({ realm, grant }) => viewGrant(realm, grant)),
    listTokens: (filter = {}) =>
      grantsOf(sites, knownDialect(filter)).flatMap(({ realm, grant }) => [
        ...grant.accessTokens.map(token => viewAccessToken(realm, token)),
        ...grant.refreshTokens.map(token => viewRefreshToken(realm, token)),
      ]),
    expireTokens: (kind, filter = {}) => endTokens(sites, kind, knownDialect(filter), expireToken),
    revoke: (kind, filter = {}) =>
      kind === 'grant'
        ? revokeGrants(sites, knownDialect(filter))
        : endTokens(sites, kind, knownDialect(filter), revokeToken),
    listRequests: filter => traffic.list(filter && knownDialect(filter)),
    countRequests: filter => traffic.count(filter && knownDialect(filter)),
    reset() {
      for (const resettable of [clients, faults, traffic]) resettable.reset()
      for (const { realm, consents } of sites.values()) {
        for (const resettable of [realm.accounts, realm.behaviors, realm.state, consents]) resettable.reset()
      }
    },
  }
}
