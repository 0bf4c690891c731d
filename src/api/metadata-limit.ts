import type { Settings } from 'node:http2'
import type { Server } from '@grpc/grpc-js'

/**
 * Makes a server refuse calls with more metadata than that before it reads them: `RESOURCE_EXHAUSTED` for the client,
 * whose other calls go on. The server announces it (`SETTINGS_MAX_HEADER_LIST_SIZE`, RFC 9113 section 6.5.2) and holds
 * it from the client's acknowledgement on; without one, what Node bounds a block of headers to is the limit.
 *
 * grpc-js has no option for it (grpc/grpc-node#2050). What it hands to Node's HTTP/2 server is open to nobody else.
 *
 * @param bytesMax names, values, and 32 bytes for each field, as HTTP/2 counts them
 * @throws TypeError if this version of grpc-js keeps its options elsewhere
 */
export function limitMetadata(server: Server, bytesMax: number): void {
  const { settings }: { settings: Settings } = Reflect.get(server, 'commonServerOptions')
  settings.maxHeaderListSize = bytesMax
}
