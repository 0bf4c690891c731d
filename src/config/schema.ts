import { z } from 'zod'
import { isData } from '../providers/merge.ts'
import { parseNetwork } from './address.ts'
import { auditSchema } from './audit.ts'
import { parseBaseUrl } from './base-url.ts'
import { callersSchema } from './callers.ts'
import { listenSchema } from './listen.ts'
import { rolesSchema } from './policy-rules.ts'
import { providersSchema } from './provider-schema.ts'
import { returnUrlsSchema } from './return-urls.ts'
import { sourceSchema } from './secret-source.ts'
import { notYet, text } from './shape.ts'

/** More proxies than this is a range that should be written as one. */
const TRUSTED_PROXIES_MAX = 100

const storeSchema = z.literal('sqlite', {
  error: ({ input }) => {
    const isPostgres = isData(input) ? 'postgres' in input : /^postgres/.test(String(input))
    return isPostgres ? 'postgres is not supported yet; use sqlite' : undefined
  },
})

/** Everything that the configuration file can say (docs/configuration.md). Unknown keys are mistakes. */
export const configSchema = z.strictObject({
  listen: listenSchema.prefault({}),
  public_url: text(parseBaseUrl).optional(),
  return_urls: returnUrlsSchema.default({}),
  trusted_proxies: z.array(text(parseNetwork)).max(TRUSTED_PROXIES_MAX).default([]),
  data_dir: z.string().min(1).default('./data'),
  store: storeSchema.default('sqlite'),
  root_key: sourceSchema.optional(),
  root_key_next: sourceSchema.optional(),
  providers: providersSchema.default({}),
  roles: rolesSchema.default({}),
  callers: callersSchema.default([]),
  operator_token: z.enum(['on', 'off']).default('on'),
  audit: auditSchema.prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
  definitions_dir: notYet,
  webhooks: notYet,
  egress_proxy: notYet,
})

/** The configuration as it is written, each value checked by itself. */
export type WrittenConfig = z.output<typeof configSchema>
