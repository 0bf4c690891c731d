import { Server, ServerCredentials } from '@grpc/grpc-js'
import type { Broker } from '../broker/broker.ts'
import type { Clock } from '../broker/ports.ts'
import type { GrpcListener } from '../config/config.ts'
import { AdminServiceService } from '../gen/tokenbroker/v1/admin.ts'
import { TokenBrokerServiceService } from '../gen/tokenbroker/v1/token_broker.ts'
import { createAdminProcedures } from './admin-service.ts'
import { createCallLimit } from './call-limit.ts'
import type { Callers } from './callers.ts'
import { createGate } from './gate.ts'
import { addService } from './handler.ts'
import { createHealth } from './health.ts'
import * as limits from './limits.ts'
import { type ListeningPorts, type OpenListener, openListener } from './listening.ts'
import { limitMetadata } from './metadata-limit.ts'
import { createNewestConnections } from './newest-connections.ts'
import { createOpenStreams } from './open-streams.ts'
import { addReflection } from './reflection.ts'
import type { DenialRecorder } from './refusals.ts'
import { createSharedConnections } from './shared-connections.ts'
import { createTokenProcedures } from './token-service.ts'
import { createWatchLimit } from './watch-limit.ts'

/** The gRPC edge of the broker. */
export interface ApiServer {
  /**
   * Starts to listen on all addresses, or on none: after a failure the server is closed.
   *
   * @returns the ports, in the order of the listeners; 0 for a Unix socket
   * @throws ListenError
   */
  listen(listeners: readonly GrpcListener[]): Promise<number[]>
  /** What health says. It says no until it is told otherwise, and from {@link drain} on. */
  setServing(serving: boolean): void
  /** Ends the open streams whose callers have lost their right to them: the callers have been replaced. */
  checkStreams(): void
  /**
   * Stops: health says no, open streams end with `BROKER_UNAVAILABLE`, connections take no new calls, and
   * calls in flight finish. Those that take longer than `DRAIN_MS_MAX` are cut.
   */
  drain(): Promise<void>
  /** Stops at once and cuts every call. */
  close(): void
}

/** What {@link createApiServer} needs. */
export interface ApiServerOptions extends ListeningPorts {
  readonly broker: Broker
  readonly callers: Callers
  readonly clock: Clock
  /** Where refused calls are recorded. */
  readonly denials: DenialRecorder
}

const SERVICES = ['tokenbroker.v1.TokenBrokerService', 'tokenbroker.v1.AdminService']

/** Creates the server with all its services; it listens to nobody yet. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  const { broker, callers, log, clock, denials } = options
  const openStreams = createOpenStreams(clock)
  const connections = createNewestConnections(clock)
  const calls = createCallLimit(clock)
  const shared = createSharedConnections()
  const gate = createGate({ callers, calls, connections, openStreams, shared, clock, log, denials })
  const health = createHealth(SERVICES)
  const server = new Server({ ...SERVER_OPTIONS, interceptors: [gate.intercept] })
  limitMetadata(server, limits.METADATA_BYTES_MAX)
  const edge = { gate, watches: createWatchLimit(), shared, openStreams, log, denials }
  addService(server, TokenBrokerServiceService, createTokenProcedures(broker), edge)
  addService(server, AdminServiceService, createAdminProcedures(broker), edge)
  health.addTo(server)
  addReflection(server)
  // TLS has ended before a connection gets here.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const open: OpenListener[] = []

  function close(): void {
    for (const listener of open) {
      void listener.stop()
      listener.destroy()
    }
    injector.destroy()
  }

  return {
    async listen(listeners) {
      try {
        const ports = { ...options, connections }
        for (const listener of listeners)
          open.push(await openListener(listener, socket => injector.injectConnection(socket), ports))
      } catch (error) {
        close()
        throw error
      }
      return open.map(({ port }) => port)
    },
    setServing: health.setServing,
    checkStreams: openStreams.checkAll,
    async drain() {
      health.setServing(false)
      gate.endStreams()
      const ended = Promise.all(open.map(listener => listener.stop()))
      // Its callback would come at once, for it asks listeners of its own. Each connection is told to go
      // away and closes after its last call.
      server.tryShutdown(() => {})
      await within(limits.DRAIN_MS_MAX, ended, clock)
      close()
    },
    close,
  }
}

/** Waits for a promise, but no longer than that. */
async function within(ms: number, promise: Promise<unknown>, clock: Clock): Promise<void> {
  const tooLong = Promise.withResolvers<void>()
  const cancel = clock.schedule(ms, tooLong.resolve)
  await Promise.race([promise, tooLong.promise])
  cancel()
}

const SERVER_OPTIONS = {
  'grpc.max_concurrent_streams': limits.STREAMS_MAX,
  'grpc.max_receive_message_length': limits.RECEIVE_BYTES_MAX,
  'grpc.max_send_message_length': limits.SEND_BYTES_MAX,
  'grpc-node.max_session_memory': limits.SESSION_MEGABYTES_MAX,
  'grpc.max_connection_age_ms': limits.CONNECTION_AGE_MS_MAX,
  'grpc.max_connection_age_grace_ms': limits.CONNECTION_AGE_GRACE_MS,
  'grpc.max_connection_idle_ms': limits.CONNECTION_IDLE_MS_MAX,
  'grpc.keepalive_time_ms': limits.KEEPALIVE_MS,
  'grpc.keepalive_timeout_ms': limits.KEEPALIVE_TIMEOUT_MS,
  // Bookkeeping of every call and socket that nothing here reads.
  'grpc.enable_channelz': 0,
} as const
