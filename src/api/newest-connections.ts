import type { Server, Socket } from 'node:net'
import type { Clock } from '../broker/ports.ts'
import { CONNECTIONS_MAX, FIRST_CALL_MS_MAX } from './limits.ts'

/** Keeps strangers, who can connect but not call, from holding the connections of callers. */
export interface NewestConnections {
  /**
   * Bounds the open connections of a server by closing the oldest one by which no known caller has called yet.
   *
   * Refusing the newest instead, as Node's `maxConnections` does, would let a thousand silent strangers lock
   * everybody out; an honest client calls as soon as it is connected and is hardly ever the oldest. Connections of
   * known callers are kept; if all are, the newest is closed. Who makes no call at all is cut after
   * {@link FIRST_CALL_MS_MAX}.
   */
  bound(server: Server): void
  /**
   * Notes a call that has passed the gate.
   *
   * @param by `caller` = its connection is kept from now on; `probe` = it was about health, which anybody may ask:
   *   its connection may stay while there is room
   */
  noteCall(endpoints: Endpoints, by: 'caller' | 'probe'): void
}

/** The two ends of a connection. */
export type Endpoints = Partial<Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>>

interface Connection {
  readonly socket: Socket
  readonly cancelDeadline: () => void
  hasCaller: boolean
}

/** Creates the bound for all listeners of one server; each has its own limit. */
export function createNewestConnections(clock: Pick<Clock, 'schedule'>): NewestConnections {
  const all = new Map<string, Connection>()

  function add(socket: Socket, open: Set<Connection>): void {
    const key = endpointsOf(socket)
    const cancelDeadline = clock.schedule(FIRST_CALL_MS_MAX, () => socket.destroy())
    const connection = { socket, cancelDeadline, hasCaller: false }
    all.set(key, connection)
    open.add(connection)
    socket.once('close', () => {
      cancelDeadline()
      open.delete(connection)
      if (all.get(key) === connection) all.delete(key)
    })
  }

  return {
    bound(server) {
      const open = new Set<Connection>()
      server.on('connection', (socket: Socket) => {
        add(socket, open)
        if (open.size > CONNECTIONS_MAX) closeOldest(open)
      })
    },
    noteCall(endpoints, by) {
      const connection = all.get(endpointsOf(endpoints))
      if (connection === undefined || connection.hasCaller) return
      connection.cancelDeadline()
      connection.hasCaller = by === 'caller'
    },
  }
}

/** With TLS, the listener and the call see different socket objects; both know the same endpoints. */
export function endpointsOf({ remoteAddress, remotePort, localAddress, localPort }: Endpoints): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}

/** Sets iterate in order of insertion, so the first match is the oldest; the newest has made no call yet. */
function closeOldest(open: Set<Connection>): void {
  for (const connection of open) {
    if (connection.hasCaller) continue
    open.delete(connection)
    connection.socket.destroy()
    return
  }
}
