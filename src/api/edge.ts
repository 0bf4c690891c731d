import type { MethodDefinition } from '@grpc/grpc-js'
import { BrokerError } from '../broker/errors.ts'
import type { Log } from '../broker/ports.ts'
import type { Gate } from './gate.ts'
import type { OpenStreams } from './open-streams.ts'
import type { DenialRecorder } from './refusals.ts'
import type { SharedConnections } from './shared-connections.ts'
import type { WatchLimit } from './watch-limit.ts'

/** What the adapters of grpc-js need beside the procedures. */
export interface Edge {
  readonly gate: Pick<Gate, 'callerOf' | 'callerNow' | 'endpointsOf'>
  readonly watches: WatchLimit
  readonly shared: SharedConnections
  readonly openStreams: OpenStreams
  readonly log: Log
  readonly denials: DenialRecorder
}

// A method that may be any: what its types are is known where a service is defined.
// biome-ignore lint/suspicious/noExplicitAny: functions of unknown parameters are assignable to nothing else
export type AnyMethod = MethodDefinition<any, any>

/** The name by which callers' rules know a method. */
export function nameOf({ path }: AnyMethod): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/**
 * The request in a call's bytes.
 *
 * @throws BrokerError `INVALID_REQUEST`
 */
export function decode(method: AnyMethod, bytes: Buffer): unknown {
  try {
    return method.requestDeserialize(bytes)
  } catch (cause) {
    const message = `the message is not a ${nameOf(method)}Request: generate the client from the broker's .proto files`
    throw new BrokerError('INVALID_REQUEST', message, { cause })
  }
}
