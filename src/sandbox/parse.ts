import type { z } from 'zod'
import { SandboxError } from './errors.ts'

/**
 * Checks what came from outside against a schema.
 *
 * @throws SandboxError `invalid`, naming the first offending field
 */
export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const path = issue?.path.join('.')
  throw new SandboxError('invalid', `${path ? `${path}: ` : ''}${issue?.message ?? 'not understood'}`)
}
