import { createApiServer } from '../api/server.ts'
import { entryOf as entryOfEvent } from '../audit/entry.ts'
import type { Broker } from '../broker/broker.ts'
import { createBroker } from '../broker/create-broker.ts'
import type { Log } from '../broker/ports.ts'
import type { CallerConfig, Config, Listener } from '../config/config.ts'
import { policyDigest } from '../config/policy.ts'
import { readSystemFile } from '../config/system.ts'
import type { Http } from '../egress/http.ts'
import { createHttp } from '../egress/undici-http.ts'
import { createAdminServer } from '../http/admin-server.ts'
import { createConsentServer } from '../http/consent-server.ts'
import { createOAuthClient, type OAuthClient } from '../oauth/client.ts'
import { createDefinitionSource } from '../oauth/discovery.ts'
import type { Provider } from '../providers/provider.ts'
import { openSealedStore } from '../store/open-store.ts'
import { CliError, EXIT } from './exit.ts'
import { serveAudit } from './serve-audit.ts'
import { createServedCallers } from './serve-callers.ts'
import type { PolicyUpdate } from './serve-policy.ts'
import { systemClock, systemRandom } from './system-ports.ts'

/** A broker that listens. */
export interface RunningBroker {
  readonly broker: Broker
  /** In the order of `listen.grpc`. */
  readonly grpcPorts: readonly number[]
  readonly httpPort: number
  readonly adminPort: number
  /** Takes these callers instead of those so far, at once: open streams that they may not have end. */
  usePolicy(callers: readonly CallerConfig[], update: PolicyUpdate): void
  /** Health says no first, calls and refreshes in flight finish and are stored, then everything closes. */
  stop(): Promise<void>
}

export interface StartOptions {
  /** Default: false. */
  readonly acceptRestore?: boolean
}

type Close = () => void | Promise<void>

/**
 * Starts a broker as the configuration says. Either everything runs when this resolves, or nothing is left
 * open when it rejects; nothing is written before the root key was found to fit.
 *
 * @throws DataLockedError, RootKeyError, StoreSetupError, StoreError, ConfigError, ListenError, CliError
 */
export async function startBroker(
  config: Config,
  log: Log,
  options: StartOptions = {},
): Promise<RunningBroker> {
  const closers: Close[] = []
  let stopped: Promise<void> | undefined
  // Whoever comes second waits for the same stop.
  const stop = () => {
    stopped ??= stopAll(closers, log)
    return stopped
  }
  try {
    return { ...(await start(config, log, close => closers.push(close), options)), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Longer than everything that a stop waits for; only keeps the process alive, ends nothing. */
const STOP_MS_MAX = 120_000

/** The last opened is closed first; one that fails does not keep the others open. */
async function stopAll(closers: Close[], log: Log): Promise<void> {
  // The timers of the broker do not keep the process alive, and what they wait for may be a token to be stored.
  const alive = setTimeout(() => {}, STOP_MS_MAX)
  try {
    for (const close of closers.splice(0).reverse()) {
      try {
        await close()
      } catch (error) {
        log.error('Could not stop cleanly', { error })
      }
    }
  } finally {
    clearTimeout(alive)
  }
}

async function start(
  config: Config,
  log: Log,
  onStop: (close: Close) => void,
  { acceptRestore = false }: StartOptions,
) {
  const data = await openData(config, acceptRestore)
  onStop(data.close)
  const { store, keyring, keys, spool, restored: count } = data
  // Before anything can keep the broker from starting: it is accepted once.
  if (count !== undefined) {
    log.warn('An older copy of the database was accepted; its connections are checked', { count })
  }
  const http = createHttp()
  onStop(http.close)
  const clock = systemClock
  const callers = await createServedCallers(config, { http, readFile: readSystemFile, clock, log })
  onStop(callers.close)
  const served = serveAudit(config, store, clock, log)
  onStop(served.close)
  const { audit } = served
  const broker = createBroker({
    clients: [...config.providers.values()].map(provider => createClient(provider, http)),
    store,
    keyring,
    keys,
    spool,
    audit,
    clock,
    random: systemRandom,
    log,
    publicUrl: config.publicUrl,
    returnUrls: config.returnUrls,
  })
  onStop(broker.stop)

  const api = createApiServer({ broker, callers, denials: audit, log, clock, readFile: readSystemFile })
  const consent = createConsentServer({
    flow: broker.consent,
    publicUrl: config.publicUrl,
    tls: config.listen.http.tls,
    readFile: readSystemFile,
    trustedProxies: config.trustedProxies,
    log,
    random: systemRandom,
  })
  const admin = createAdminServer({
    unreadiness: broker.unreadiness,
    tls: config.listen.admin.tls,
    readFile: readSystemFile,
    log,
  })
  onStop(admin.close)
  onStop(consent.close)
  onStop(api.drain)
  // Calls may take a minute: what would be begun meanwhile would have to be waited for after them.
  onStop(broker.rest)
  // Before anybody is served: the spool may hold the only refresh tokens that still work.
  await broker.start()
  const grpcPorts = await api.listen(config.listen.grpc)
  const { port: httpPort } = await listening('http', config.listen.http, consent.listen)
  const { port: adminPort } = await listening('admin', config.listen.admin, admin.listen)
  api.setServing(true)
  served.started()
  const usePolicy = (next: readonly CallerConfig[], { trigger, change }: PolicyUpdate) => {
    callers.replace(next)
    api.checkStreams()
    // A right is taken whether or not that can be recorded.
    audit.note({ event: 'POLICY_CHANGED', details: { trigger, ...change, policy: policyDigest(next) } })
  }
  return { broker, grpcPorts, httpPort, adminPort, usePolicy }
}

/** A refresh token that is not replaced is as good in an older copy as in the newest. */
function openData({ dataDir, rootKey, nextRootKey, providers }: Config, acceptRestore: boolean) {
  const kept = [...providers.values()].filter(({ definition }) => definition.refresh.replay === 'same')
  const exempt = kept.map(({ id }) => id)
  const entryOf = (count: number) => entryOfEvent({ event: 'STORE_RESTORED', count }, Date.now())
  return openSealedStore({
    ...{ dataDir, rootKey, nextRootKey, now: Date.now() },
    acceptRestore: acceptRestore ? { exempt, entryOf } : undefined,
  })
}

function createClient(provider: Provider, http: Http): OAuthClient {
  const source = createDefinitionSource(provider, http, systemClock.now)
  return createOAuthClient(provider, source, http, systemClock.now)
}

async function listening(
  key: 'http' | 'admin',
  { host, port }: Listener,
  listen: (address: { host: string; port: number }) => Promise<{ port: number }>,
): Promise<{ port: number }> {
  try {
    return await listen({ host, port })
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason'
    const why = code === 'EADDRINUSE' ? 'another program uses it' : code
    throw new CliError(EXIT.configuration, `cannot listen on ${host}:${port} (${why})`, {
      help: [`Stop the other program, or change listen.${key}.address (TOKEN_BROKER_${key.toUpperCase()}).`],
      cause,
    })
  }
}
