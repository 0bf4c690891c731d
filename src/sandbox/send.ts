import type { FastifyReply } from 'fastify'
import type { Outgoing } from './disturb.ts'
import type { Pauses } from './pauses.ts'

/** Slow enough to look alive and never arrive. */
const DRIP_INTERVAL_MS = 100

/** Puts an answer on the wire in its manner. A client that has gone meanwhile is no error. */
export function send(outgoing: Outgoing, reply: FastifyReply, pauses: Pauses): void {
  const { manner, status, headers, body } = outgoing
  if (manner === 'whole') {
    // Fastify would give a string, and even an empty buffer, a content type of its own.
    reply
      .code(status)
      .headers(headers)
      .send(body === '' ? undefined : Buffer.from(body))
    return
  }
  reply.hijack()
  const { raw } = reply
  raw.on('error', () => {})
  switch (manner) {
    case 'drop':
      raw.socket?.destroy()
      return
    case 'reset':
      raw.socket?.resetAndDestroy()
      return
    case 'cut':
      raw.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
      raw.write(body.slice(0, body.length / 2), () => raw.destroy())
      return
    case 'drip':
      raw.writeHead(status, { ...headers })
      void drip(raw, pauses)
  }
}

/** White space may stand before any JSON, so that a patient client has no reason to give up. */
async function drip(raw: FastifyReply['raw'], pauses: Pauses): Promise<void> {
  while (!raw.destroyed && !raw.closed) {
    raw.write(' ')
    await pauses.wait(DRIP_INTERVAL_MS)
  }
}
