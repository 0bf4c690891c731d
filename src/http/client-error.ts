import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Content } from './refusal.ts'

/** What Node's parser calls the faults that deserve another status than 400. */
const STATUSES: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_HEADER_OVERFLOW: 431,
}

/**
 * Answers bytes that never became a request (malformed, too large, too slow) on the bare socket, with the
 * same headers as every other answer and nothing of what was sent.
 */
export function createClientErrorHandler(
  headers: Readonly<Record<string, string>>,
  refusal: (status: number) => Content,
): (error: NodeJS.ErrnoException, socket: Duplex) => void {
  return (error, socket) => {
    if (socket.writable) {
      const status = STATUSES[error.code ?? ''] ?? 400
      socket.write(rawAnswer(status, headers, refusal(status)))
    }
    socket.destroy()
  }
}

function rawAnswer(status: number, headers: Readonly<Record<string, string>>, content: Content): string {
  const all = {
    ...headers,
    'content-type': content.type,
    'content-length': String(Buffer.byteLength(content.text)),
    connection: 'close',
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', content.text].join('\r\n')
}
