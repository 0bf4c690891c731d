import type { Config } from '../config/config.ts'
import { eternalCallers, expiriesOf } from '../config/expiries.ts'
import type { ConfigError } from '../config/problem.ts'
import { formatProblems } from '../config/problem.ts'
import { type Finding, findingsIn } from './doctor-finding.ts'
import { counted } from './output.ts'
import { formatRelative } from './time.ts'

const { ok, warning, problem } = findingsIn('configuration')

/** How long before its end something is worth a word. */
const EXPIRES_SOON_MS = 30 * 86_400_000

/** Everything that keeps the configuration from being served. */
export function examineProblems({ problems }: ConfigError): Finding[] {
  return problems.map(found =>
    problem(
      formatProblems([found]),
      found.mayPass
        ? 'See why the secret does not come; serve waits for it.'
        : 'Correct it; serve refuses to start.',
    ),
  )
}

/** What will end, and what lasts too long. */
export function examineConfiguration(config: Config, now: number): Finding[] {
  const { providers, callers } = config
  return [
    ok(`${counted(providers.size, 'provider')} and ${counted(callers.length, 'caller')} can be served`),
    ...expiriesOf(config).flatMap(({ what, expiresAtMs, advice }) => {
      const left = expiresAtMs - now
      const todo = `${advice.charAt(0).toUpperCase()}${advice.slice(1)}.`
      if (left <= 0) return [problem(`${what} has expired`, todo)]
      if (left > EXPIRES_SOON_MS) return []
      return [warning(`${what} expires ${formatRelative(new Date(expiresAtMs), now)}`, todo)]
    }),
    ...examineEternal(config),
    ...examineRootKeyPlace(config),
  ]
}

function examineEternal({ callers }: Config): Finding[] {
  const eternal = eternalCallers(callers)
  if (eternal.length === 0) return []
  const names = eternal.join(', ')
  return [warning(`tokens never expire: ${names}`, 'Give each an end with expires, and replace it before.')]
}

/** On a laptop it may lie there; where others are served, the one who copies the folder has both. */
function examineRootKeyPlace({ listen, rootKey, dataDir }: Config): Finding[] {
  const isServer = listen.grpc.some(listener => 'tls' in listener && listener.tls !== undefined)
  if (!isServer || rootKey.kind !== 'file' || !rootKey.path.startsWith(`${dataDir}/`)) return []
  return [
    warning(
      'the root key lies beside the data: a copy of the folder opens it',
      'Move it elsewhere and name it with root_key, best as {command: …} of a secret manager.',
    ),
  ]
}
