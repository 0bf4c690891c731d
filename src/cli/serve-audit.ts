import type { Audit } from '../audit/audit.ts'
import { startCopy } from '../audit/copy.ts'
import { fileSink, stdoutSink } from '../audit/copy-sinks.ts'
import { createAudit } from '../audit/create-audit.ts'
import { startRetention } from '../audit/retention.ts'
import type { Clock, Log } from '../broker/ports.ts'
import type { Config } from '../config/config.ts'
import { policyDigest } from '../config/policy.ts'
import type { Store } from '../store/store.ts'
import { version } from './version.ts'

/** The audit of a broker that serves. */
export interface ServedAudit {
  readonly audit: Audit
  /** Records that the broker serves now. */
  started(): void
  /** Records that it stopped, writes and copies what is left. To be called when nothing else happens any more. */
  close(): Promise<void>
}

/** Starts the audit as the configuration says: what it keeps how long, and where it is copied. */
export function serveAudit(config: Config, store: Store, clock: Clock, log: Log): ServedAudit {
  const { now, schedule } = clock
  const { retentionMs, copy } = config.audit
  const audit = createAudit({ store, now, schedule, log })
  const endRetention = startRetention({ store, retentionMs, now, schedule, log })
  const sink = copy && (copy === 'stdout' ? stdoutSink() : fileSink(copy.file))
  const endCopy = sink && startCopy({ store, sink, schedule, log })
  let hasStarted = false

  return {
    audit,
    started() {
      hasStarted = true
      const { callers, providers } = config
      const details = { version: version(), providers: [...providers.keys()], policy: policyDigest(callers) }
      audit.note({ event: 'BROKER_STARTED', details })
    },
    async close() {
      endRetention()
      if (hasStarted) audit.note({ event: 'BROKER_STOPPED', details: { version: version() } })
      await audit.flush().catch(error => log.error('Could not write the last audit records', { error }))
      await endCopy?.()
    },
  }
}
