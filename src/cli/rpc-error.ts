import { type ServiceError, status } from '@grpc/grpc-js'
import type { Any } from '../gen/google/protobuf/any.ts'
import { ErrorInfo, Help, RetryInfo } from '../gen/google/rpc/error_details.ts'
import { Status } from '../gen/google/rpc/status.ts'
import { CliError, EXIT } from './exit.ts'
import { formatDuration } from './time.ts'

/** Where a call went and how long it was allowed to take. */
export interface CallFacts {
  readonly address: string
  readonly deadlineMs: number
}

/**
 * Turns a failed call into the sentence that a person reads: the broker's own sentence, reason, help
 * and retry delay where it sent them (`google.rpc.Status` in `grpc-status-details-bin`), ours where
 * nobody answered.
 */
export function cliErrorFrom(error: ServiceError, call: CallFacts): CliError {
  const details = readDetails(error)
  const info = find(details, 'google.rpc.ErrorInfo', ErrorInfo)
  if (info === undefined) return transportError(error, call)
  const retryDelay = find(details, 'google.rpc.RetryInfo', RetryInfo)?.retryDelay
  return new CliError(exitCodeOf(error.code), error.details, {
    reason: info.reason,
    help: find(details, 'google.rpc.Help', Help)?.links.map(helpLine) ?? [],
    ...(retryDelay && { retryAfterMs: retryDelay.seconds * 1_000 + retryDelay.nanos / 1_000_000 }),
    cause: error,
  })
}

/** Which exit code a status means. */
function exitCodeOf(code: status): number {
  switch (code) {
    case status.UNAVAILABLE:
    case status.DEADLINE_EXCEEDED:
      return EXIT.unavailable
    case status.UNAUTHENTICATED:
    case status.PERMISSION_DENIED:
      return EXIT.notPermitted
    case status.INVALID_ARGUMENT:
      return EXIT.usage
    default:
      return EXIT.negative
  }
}

/** No reason: the answer is not the broker's, but that of the way to it. */
function transportError(error: ServiceError, call: CallFacts): CliError {
  const exitCode = exitCodeOf(error.code)
  if (error.code === status.UNAVAILABLE) {
    return new CliError(exitCode, `no broker answers at ${call.address} (${error.details})`, {
      help: [
        'start one with: token-broker serve',
        'or name the address of a running one with TOKEN_BROKER_ADDRESS=host:port',
      ],
      cause: error,
    })
  }
  if (error.code === status.DEADLINE_EXCEEDED) return lateError(call, error)
  return new CliError(exitCode, `${call.address} answered ${status[error.code]}: ${error.details}`, {
    cause: error,
  })
}

/** Nobody answered in time. */
export function lateError({ address, deadlineMs }: CallFacts, cause: unknown): CliError {
  const message = `the broker at ${address} did not answer within ${formatDuration(deadlineMs)}`
  return new CliError(EXIT.unavailable, message, { cause })
}

function readDetails(error: ServiceError): readonly Any[] {
  const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? []
  return bytes instanceof Buffer ? (decode(Status, bytes)?.details ?? []) : []
}

interface Decoder<Message> {
  decode(bytes: Uint8Array): Message
}

function find<Message>(
  details: readonly Any[],
  type: string,
  decoder: Decoder<Message>,
): Message | undefined {
  const detail = details.find(detail => detail.typeUrl === `type.googleapis.com/${type}`)
  return detail && decode(decoder, detail.value)
}

/** Details that do not decode must not hide the error that they came with. */
function decode<Message>(decoder: Decoder<Message>, bytes: Uint8Array): Message | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

function helpLine(link: { readonly description: string; readonly url: string }): string {
  return [link.description, link.url].filter(Boolean).join(': ')
}
