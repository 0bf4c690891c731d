import type { Socket } from 'node:net'

/** Resolves when a socket is closed, be it by a reset: whoever cuts one that has more to read sends that. */
export function closed(socket: Socket): Promise<void> {
  socket.on('error', () => {})
  return new Promise(resolve => socket.once('close', () => resolve()))
}
