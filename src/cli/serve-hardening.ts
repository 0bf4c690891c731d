import { spawnSync } from 'node:child_process'
import type { Log } from '../broker/ports.ts'
import type { DebugSwitch } from '../config/debugging.ts'
import type { WrittenConfig } from '../config/schema.ts'
import { isLoopback } from '../loopback.ts'
import { CliError, EXIT } from './exit.ts'
import { coreDumpLimit } from './process-limits.ts'

/** Files are their owner's alone, whatever made them and whatever mode it forgot. */
const UMASK = 0o077
/** Milliseconds for a program that makes one system call. */
const PRLIMIT_MS_MAX = 2_000
/**
 * Bytes of a core dump. No dump is that small, so none is written; and with exactly 1, Linux does not even start a
 * program that `core_pattern` pipes dumps to, which with 0 it does.
 *
 * @see https://man7.org/linux/man-pages/man5/core.5.html
 */
const CORE_BYTES_MAX = 1

/**
 * Refuses to serve while a switch is on with which secrets would leave the process.
 *
 * @param isAllowed whether the operator said that this is meant, which counts only where nobody else can call
 * @throws CliError exit code 78
 */
export function refuseDebugSwitches(
  switches: readonly DebugSwitch[],
  isAllowed: boolean,
  { listen }: Pick<WrittenConfig, 'listen'>,
  log: Pick<Log, 'warn'>,
): void {
  if (switches.length === 0) return
  // A proxy in front brings others to this machine.
  const isPrivate = [...listen.grpc, listen.http, listen.admin].every(
    ({ address, tls }) => address === undefined || (tls !== 'proxy' && isLoopback(address.host)),
  )
  if (isAllowed && isPrivate) {
    for (const { name, effect } of switches)
      log.warn('A debugging switch is on: it gives secrets away', { name, effect })
    return
  }
  const what = switches.map(({ name, effect }) => `${name} ${effect}`).join('; ')
  throw new CliError(
    EXIT.configuration,
    `refused to serve with debugging switches that give secrets away: ${what}`,
    {
      help: [
        'Start it without them.',
        isAllowed
          ? '--allow-insecure-debugging counts only where every listener is loopback or a socket.'
          : 'On a development machine: token-broker serve --allow-insecure-debugging',
      ],
    },
  )
}

/** Keeps what this process writes, and what would be written of it, from others. */
export function hardenProcess(log: Pick<Log, 'warn'>): void {
  process.umask(UMASK)
  switchCoreDumpsOff()
  const limit = coreDumpLimit()
  if (limit === undefined || limit <= CORE_BYTES_MAX) return
  log.warn(
    'A crash could leave secrets in a core dump: start the broker with "ulimit -c 0", or install prlimit',
  )
}

/** Node has no call for it; util-linux has a program. What it cannot do shows in {@link coreDumpLimit}. */
function switchCoreDumpsOff(): void {
  if (process.platform !== 'linux') return
  const args = ['--pid', String(process.pid), `--core=${CORE_BYTES_MAX}:${CORE_BYTES_MAX}`]
  spawnSync('prlimit', args, { stdio: 'ignore', timeout: PRLIMIT_MS_MAX })
}
