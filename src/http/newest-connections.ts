import type { Server } from 'node:http'
import type { Socket } from 'node:net'

interface Connection {
  readonly socket: Socket
  /** The request that is being read or answered. */
  request?: { readonly complete: boolean }
}

/**
 * Bounds the open connections of a server by closing the oldest one that has not delivered a whole request.
 *
 * Refusing the newest instead, as Node's `maxConnections` does, would let a few hundred slow senders lock
 * everybody out; an honest browser delivers its request within milliseconds and is never the oldest.
 * Connections whose request is being answered are kept; if all are, the newest is closed.
 */
export function keepNewestConnections(server: Server, connectionsMax: number): void {
  const open = new Map<string, Connection>()

  server.on('connection', (socket: Socket) => {
    const key = endpoints(socket)
    open.set(key, { socket })
    socket.once('close', () => open.delete(key))
    if (open.size > connectionsMax) close(open, oldestUnanswered(open))
  })

  server.on('request', (request, response) => {
    const connection = open.get(endpoints(request.socket))
    if (connection === undefined) return
    connection.request = request
    response.once('close', () => {
      if (connection.request === request) connection.request = undefined
    })
  })
}

/** With TLS, `connection` and `request` see different socket objects; both know the same two endpoints. */
function endpoints({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}

/** Maps iterate in order of insertion, so the first match is the oldest; the newest has no request yet. */
function oldestUnanswered(open: ReadonlyMap<string, Connection>): string | undefined {
  for (const [key, { request }] of open) if (request === undefined || !request.complete) return key
  return undefined
}

function close(open: Map<string, Connection>, key: string | undefined): void {
  if (key === undefined) return
  open.get(key)?.socket.destroy()
  open.delete(key)
}
