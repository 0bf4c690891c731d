import type { Broker } from '../broker.ts'
import type { Changes } from '../changes.ts'
import { guard } from '../connections.ts'
import { type ListPorts, statusOfRow } from '../lists.ts'
import type { Log, Random } from '../ports.ts'
import { refusesClient, statusOf, withLastUse } from '../status.ts'
import type { TokenPorts } from '../tokens/tokens.ts'
import { viewToken } from '../tokens/view.ts'
import { watchConnections } from './connections.ts'
import { createSplay } from './marks.ts'
import { watchAccessTokens } from './tokens.ts'
import { createUpkeep } from './upkeep.ts'

/** What watching needs: what handing out tokens and listing need, and who tells of changes. */
type Ports = TokenPorts &
  ListPorts & { readonly changes: Changes; readonly random: Random; readonly log: Log }

/** The two streams of a broker. */
export type Watches = Pick<Broker, 'watchAccessTokens' | 'watchConnections'>

/** Puts the streams together; nothing happens while nobody watches. */
export function createWatches(ports: Ports): Watches {
  const { store, providers, connections, usage, changes, clock, random, log, touch } = ports
  const splay = createSplay(clock, random)
  const view = viewToken.bind(undefined, ports)
  const upkeep = createUpkeep({ changes, clock, log, view, touch })
  const watching = {
    changes,
    clock,
    splay,
    async list(query: Parameters<typeof store.listConnections>[0]) {
      const rows = await guard(store.listConnections(query))
      return rows.map(row => statusOfRow(ports, row))
    },
    async status(name: Parameters<typeof connections.load>[0]) {
      const handle = providers.has(name.provider) ? providers.get(name.provider) : undefined
      const connection = await connections.load(name)
      return withLastUse(statusOf(handle, name, connection, clock), connection, usage)
    },
    refusing: () =>
      new Set(
        providers
          .all()
          .filter(refusesClient)
          .map(({ provider }) => provider.id),
      ),
  }
  return {
    watchAccessTokens: request => watchAccessTokens({ clock, splay, upkeep, view }, request),
    watchConnections: request => watchConnections(watching, request),
  }
}
