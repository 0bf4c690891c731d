import { findDebugSwitches } from '../config/debugging.ts'
import type { Environment } from '../config/environment.ts'
import { type Finding, findingsIn } from './doctor-finding.ts'
import { coreDumpLimit } from './process-limits.ts'

const { ok, warning, problem } = findingsIn('process')

/** What a process says of itself. */
export interface ProcessFacts {
  readonly env: Environment
  /** The options of Node in its command line. */
  readonly execArgv: readonly string[]
  /** Absent where there are no such numbers. */
  readonly uid?: number
  readonly coreDumpLimit?: number
  /** Whether `__proto__` still reaches prototypes. */
  readonly hasProto: boolean
}

/** The facts of this process: what `serve` would find if it were started in the same way. */
export function processFacts(env: Environment): ProcessFacts {
  return {
    env,
    execArgv: process.execArgv,
    uid: process.getuid?.(),
    coreDumpLimit: coreDumpLimit(),
    hasProto: '__proto__' in {},
  }
}

/** How the process was started. */
export function examineProcess(facts: ProcessFacts): Finding[] {
  const switches = findDebugSwitches(facts.env, facts.execArgv).map(({ name, effect }) =>
    problem(`${name} ${effect}`, 'Take it away; serve refuses to start with it.'),
  )
  return [
    ...(switches.length > 0 ? switches : [ok('no debugging switch is on')]),
    examineUser(facts.uid),
    examineCoreDumps(facts.coreDumpLimit),
    facts.hasProto
      ? warning(
          '__proto__ reaches the prototypes of objects',
          'Set NODE_OPTIONS="--disable-proto=delete --disable-sigusr1", as the Dockerfile does.',
        )
      : ok('__proto__ is gone'),
  ]
}

function examineUser(uid: number | undefined): Finding {
  if (uid !== 0) return ok(uid === undefined ? 'this system has no user ids' : `runs as the user ${uid}`)
  return warning('runs as root', 'Run it as a user of its own, who owns the data directory and nothing else.')
}

function examineCoreDumps(limit: number | undefined): Finding {
  if (limit === undefined) return ok('core dumps cannot be looked at on this system')
  if (limit <= 1) return ok('core dumps are off')
  return warning(
    'a crash could leave secrets in a core dump',
    'Start it with "ulimit -c 0" (systemd: LimitCORE=0; docker: --ulimit core=0); serve switches them off by itself where prlimit is installed.',
  )
}
