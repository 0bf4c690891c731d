import type { FastifyReply } from 'fastify'
import type { Answer, Dialect, Operation } from './dialect.ts'
import { disturb, type Outgoing, whole } from './disturb.ts'
import { Refusal } from './errors.ts'
import { stillActs } from './fault.ts'
import type { Faults } from './faults.ts'
import { otherOrigin } from './other-origin.ts'
import type { Pauses } from './pauses.ts'
import type { DialectRequest } from './request.ts'
import { send } from './send.ts'
import type { Traffic } from './traffic.ts'

/** One request to a dialect's server, on its way to the deed. */
interface Call {
  readonly dialect: Dialect
  readonly operation: Operation
  readonly clientId: string | undefined
  readonly request: DialectRequest
  /** @throws Refusal which the dialect then writes */
  readonly act: () => Answer
}

/** Counts a call, puts the faults that wait for it upon it, and answers. */
export type Serve = (call: Call, reply: FastifyReply) => Promise<void>

/** What all calls share. */
export interface ServeParts {
  readonly faults: Faults
  readonly traffic: Traffic
  readonly pauses: Pauses
  now(): number
  /** Where the sandbox listens, for example `http://127.0.0.1:8087`. */
  origin(): string
}

export function createServe({ faults, traffic, pauses, now, origin }: ServeParts): Serve {
  return async (call, reply) => {
    const { dialect, operation, clientId } = call
    const fault = faults.take(dialect.id, operation, clientId)
    const arrival = { time: now(), dialect: dialect.id, operation, clientId: clientId ?? null }
    const end = traffic.begin({ ...arrival, faultId: fault?.id ?? null })

    await pauses.wait(fault?.delayBeforeMs ?? 0)
    // A client that hung up meanwhile is not spared: a real server does not notice either.
    const truth = fault === undefined || stillActs(fault) ? outcome(call) : undefined
    await pauses.wait(fault?.delayAfterMs ?? 0)

    const elsewhere = `${otherOrigin(origin())}/${dialect.id}/_trap`
    const outgoing = fault ? disturb(fault, truth, { ...call, elsewhere }) : whole(truth ?? { status: 200 })
    end(ending(outgoing))
    send(outgoing, reply, pauses)
  }
}

function outcome({ act, dialect, operation, request }: Call): Answer {
  try {
    return act()
  } catch (error) {
    if (error instanceof Refusal) return dialect.refuse(error, operation, request)
    throw error
  }
}

function ending({ manner, status }: Outgoing): number | Exclude<Outgoing['manner'], 'whole'> {
  return manner === 'whole' ? status : manner
}
