import { service as healthService } from 'grpc-health-check'
import { type RpcMethod, withAnonymousBroker } from './client.ts'
import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { note, print, printJson } from './output.ts'

export interface HealthOptions {
  /** A service's full name. Empty = the whole broker. */
  readonly service: string
  readonly json?: boolean
}

/** Short, so that a container's own health check timeout (30 s by default) never has to end it. */
const HEALTH_DEADLINE_MS = 5_000

/** `grpc.health.v1.Health/Check`; its enum comes as a name. */
const check = healthService.Check as unknown as RpcMethod<{ service: string }, { status: string }>

/**
 * Asks a running broker whether it serves. The exit code is 0 or 1 whatever the reason, because container
 * runtimes know no other.
 */
export async function health({ service, json }: HealthOptions, io: Io): Promise<number> {
  const answer = await ask(service, io)
  if (json) printJson(io, { service, ...answer })
  else if (answer.status === 'SERVING') print(io, 'serving')
  else note(io, `not serving: ${answer.message ?? answer.status}`)
  return answer.status === 'SERVING' ? EXIT.ok : EXIT.negative
}

async function ask(service: string, io: Io): Promise<{ status: string; message?: string }> {
  try {
    const { status } = await withAnonymousBroker(io, broker =>
      broker.call(check, { service }, HEALTH_DEADLINE_MS),
    )
    return { status }
  } catch (error) {
    if (error instanceof CliError && error.exitCode !== EXIT.configuration) {
      return { status: 'UNREACHABLE', message: error.message }
    }
    throw error
  }
}
