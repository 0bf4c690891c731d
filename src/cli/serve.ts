import { ListenError } from '../api/listening.ts'
import { loadConfig } from '../config/load.ts'
import { systemConfigParts } from '../config/system.ts'
import { DataLockedError } from '../store/data-lock.ts'
import { RootKeyError } from '../store/root-key.ts'
import { StoreSetupError } from '../store/setup-error.ts'
import { StoreError } from '../store/store.ts'
import { createLog } from '../telemetry/log.ts'
import { CliError, EXIT } from './exit.ts'
import { startBroker } from './serve-broker.ts'

/** What a person has to mend before a start can succeed. */
const SETUP_ERRORS = [DataLockedError, RootKeyError, StoreSetupError, ListenError]

/**
 * Runs the broker until SIGINT or SIGTERM.
 *
 * @returns the exit code: 0 after a graceful stop
 * @throws CliError with exit code 78 if the configuration, the keys or the data directory do not allow a start
 */
export async function serve({ configPath }: { readonly configPath?: string }): Promise<number> {
  const config = await loadConfig(systemConfigParts(configPath))
  const log = createLog(config.log.level)
  const running = await startBroker(config, log).catch(refuse)
  // Before anybody is told that we serve: who starts us may stop us at once.
  const stopped = stopSignal()
  log.info('Serving', {
    grpc: config.listen.grpc.map(({ host }, index) => `${host}:${running.grpcPorts[index]}`),
    http: `${config.listen.http.host}:${running.httpPort}`,
    admin: `${config.listen.admin.host}:${running.adminPort}`,
    publicUrl: config.publicUrl,
    dataDir: config.dataDir,
    providers: [...config.providers.keys()],
    callers: config.callers.map(({ name }) => name),
  })
  for (const { host, tls } of [...config.listen.grpc, config.listen.http, config.listen.admin]) {
    if (tls === 'proxy') log.warn('TLS must be ended by a proxy in front of this listener', { host })
  }
  const signal = await stopped
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
