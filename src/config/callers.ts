import { z } from 'zod'
import { checkCallers } from './caller-conflicts.ts'
import { type ProofParts, proofShape, provesItself, readProof, whenMap } from './caller-proof.ts'
import type { CallerConfig } from './config.ts'
import { Mistake } from './mistake.ts'
import { OPERATOR } from './operator-token.ts'
import { allowSchema, callsPerMinuteSchema, readRules } from './policy-rules.ts'
import type { Roles } from './roles.ts'
import { text } from './shape.ts'

/** Each call compares its token with all of them. */
const CALLERS_MAX = 10_000

/** One of `callers`. A hash is no secret, so it may stand in the file. */
export const callerSchema = z
  .strictObject({
    name: text(parseName),
    ...proofShape,
    allow: allowSchema,
    calls_per_minute: callsPerMinuteSchema.optional(),
  })
  .superRefine(provesItself, whenMap)

/** `callers`. */
export const callersSchema = z.array(callerSchema).max(CALLERS_MAX)

/** A caller as it is written. */
export type WrittenCaller = z.output<typeof callerSchema>

function parseName(written: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(written)) {
    throw new Mistake('expected 1 to 64 letters, digits, dots, hyphens or underscores')
  }
  if (written === OPERATOR) throw new Mistake('is the name of the holder of operator.token; take another')
  return written
}

/** Reads what all callers are known by and may do, and checks that they are told apart. */
export async function readCallers(
  written: readonly WrittenCaller[],
  roles: Roles,
  parts: ProofParts,
): Promise<CallerConfig[]> {
  const callers = await Promise.all(
    written.map(async (caller, index): Promise<CallerConfig | undefined> => {
      const allow = readRules(caller.allow, roles, ['callers', index, 'allow'], parts.report)
      const proof = await readProof(caller, ['callers', index], parts)
      return proof && { name: caller.name, proof, allow, callsPerMinute: caller.calls_per_minute }
    }),
  )
  checkCallers(written, callers, parts.report)
  return callers.filter(caller => caller !== undefined)
}
