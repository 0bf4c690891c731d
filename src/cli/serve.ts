import { ListenError } from '../api/listening.ts'
import { findDebugSwitches } from '../config/debugging.ts'
import { completeConfig } from '../config/load.ts'
import { systemConfigParts } from '../config/system.ts'
import { readWritten } from '../config/written.ts'
import { DataLockedError } from '../store/data-lock.ts'
import { RootKeyError } from '../store/root-key.ts'
import { StoreSetupError } from '../store/setup-error.ts'
import { StoreError } from '../store/store.ts'
import { createLog } from '../telemetry/log.ts'
import { CliError, EXIT } from './exit.ts'
import { startBroker } from './serve-broker.ts'
import { configWhenSecretsCome } from './serve-config.ts'
import { createCrashGuard, guardProcess } from './serve-crash.ts'
import { hardenProcess, refuseDebugSwitches } from './serve-hardening.ts'
import { keepPolicyCurrent, type LivePolicy } from './serve-policy.ts'
import { requireVersions } from './serve-versions.ts'
import { systemClock } from './system-ports.ts'

/** What a person has to mend before a start can succeed. */
const SETUP_ERRORS = [DataLockedError, RootKeyError, StoreSetupError, ListenError]

export interface ServeOptions {
  /** Undefined = where `config` finds it. */
  readonly configPath?: string
  /** Takes an older database than the data directory has seen, and checks its connections. Default: false. */
  readonly acceptRestore?: boolean
  /** Serves on loopback even with switches that give secrets away. Default: false. */
  readonly allowInsecureDebugging?: boolean
}

/**
 * Runs the broker until SIGINT or SIGTERM. Who may call what follows the configuration, also at SIGHUP.
 *
 * @returns the exit code: 0 after a graceful stop. What nobody catches ends the process itself, with 70
 * @throws CliError with exit code 78 if the configuration, the keys or the data directory do not allow a start
 */
export async function serve(options: ServeOptions): Promise<number> {
  const { configPath, acceptRestore = false, allowInsecureDebugging = false } = options
  const parts = systemConfigParts(configPath)
  const written = await readWritten(parts)
  const log = createLog(written.config.log.level)
  const guard = createCrashGuard({ log, exit: process.exit, schedule: systemClock.schedule })
  guardProcess(guard)
  // Before any secret is read.
  const switches = findDebugSwitches(parts.env, process.execArgv)
  refuseDebugSwitches(switches, allowInsecureDebugging, written.config, log)
  requireVersions(log)
  hardenProcess(log)
  let policy: LivePolicy | undefined
  // Before anything is waited for: it ends a process that does not expect it.
  process.on('SIGHUP', () => void policy?.reload('SIGHUP'))
  const config = await configWhenSecretsCome(() => completeConfig(written, parts), log)
  if (config === undefined) return EXIT.ok
  const running = await startBroker(config, log, { acceptRestore }).catch(refuse)
  guard.stopFirst(running.stop)
  // Before anybody is told that we serve: who starts us may stop us at once.
  const stopped = stopSignal()
  log.info('Serving', {
    grpc: config.listen.grpc.map((listener, index) =>
      'socket' in listener ? `unix:${listener.socket}` : `${listener.host}:${running.grpcPorts[index]}`,
    ),
    http: `${config.listen.http.host}:${running.httpPort}`,
    admin: `${config.listen.admin.host}:${running.adminPort}`,
    publicUrl: config.publicUrl,
    dataDir: config.dataDir,
    providers: [...config.providers.keys()],
    callers: config.callers.map(({ name }) => name),
  })
  for (const listener of [...config.listen.grpc, config.listen.http, config.listen.admin]) {
    if ('socket' in listener || listener.tls !== 'proxy') continue
    log.warn('TLS must be ended by a proxy in front of this listener', { host: listener.host })
  }
  policy = keepPolicyCurrent({ parts, written, callers: config.callers, apply: running.usePolicy, log })
  const signal = await stopped
  policy.stop()
  log.info('Stopping: calls and refreshes in flight finish first', { signal })
  await running.stop()
  log.info('Stopped')
  return EXIT.ok
}

function refuse(error: unknown): never {
  if (SETUP_ERRORS.some(kind => error instanceof kind) || error instanceof StoreError) {
    throw new CliError(EXIT.configuration, (error as Error).message, { cause: error })
  }
  throw error
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve)
  })
}
