import { resolve } from 'node:path'
import { z } from 'zod'
import { duration } from '../providers/duration.ts'
import type { Config } from './config.ts'

/** 13 months: a yearly review still sees the last one. */
const RETENTION_DEFAULT = '400d'
/** Shorter, and nobody can look into what happened over a weekend. */
const RETENTION_MS_MIN = 7 * 86_400_000
const RETENTION_MS_MAX = 3_650 * 86_400_000

const copySchema = z.union([
  z.literal('stdout', { error: 'expected stdout, or {file: PATH}' }),
  z.strictObject({ file: z.string().min(1) }),
])

/** `audit`: how long records are kept, and where they are copied. */
export const auditSchema = z.strictObject({
  retention: duration
    .refine(ms => ms >= RETENTION_MS_MIN && ms <= RETENTION_MS_MAX, 'expected from 7d to 3650d')
    .prefault(RETENTION_DEFAULT),
  copy: copySchema.optional(),
})

/** @param folder where relative paths start */
export function readAudit(
  { retention, copy }: z.output<typeof auditSchema>,
  folder: string,
): Config['audit'] {
  const file = typeof copy === 'object' ? { file: resolve(folder, copy.file) } : undefined
  return { retentionMs: retention, copy: file ?? (copy === 'stdout' ? copy : undefined) }
}
