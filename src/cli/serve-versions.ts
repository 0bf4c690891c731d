import { createRequire } from 'node:module'
import type { Log } from '../broker/ports.ts'
import { CliError, EXIT } from './exit.ts'

/** Releases of Node with every security fix that the broker rests on, by their major version. */
const NODE_OLDEST: Readonly<Record<string, string>> = { '22': '22.23.2', '24': '24.18.1' }
/** Earlier ones take a peer for authenticated whose certificate was refused, and can be ended by a malformed frame. */
const GRPC_OLDEST = '1.14.7'

/** What is to be said of the version of something that the broker runs on. */
export interface VersionVerdict {
  /** With its version. */
  readonly name: string
  /**
   * - `insecure`: whoever reaches the broker may get past its authentication; `serve` refuses it.
   * - `outdated`: fixes are missing.
   * - `untested`: nobody has tried.
   */
  readonly verdict: 'good' | 'untested' | 'outdated' | 'insecure'
  /** What to do, as a sentence. */
  readonly advice: string
}

/** Judges what is exposed to others, each by its table. */
export function judgeVersions(node = process.versions.node, grpc = grpcVersion()): VersionVerdict[] {
  return [judgeNode(node), judgeGrpc(grpc)]
}

/**
 * Says loudly what the broker should not run on, at each start, and refuses what is insecure. An outdated Node is not
 * refused: to hand out no tokens at all would be worse for those who rely on them.
 *
 * @throws CliError exit code 78
 */
export function requireVersions(log: Pick<Log, 'warn' | 'error'>, verdicts = judgeVersions()): void {
  for (const { name, verdict, advice } of verdicts) {
    const fields = { found: name, advice }
    if (verdict === 'insecure') {
      throw new CliError(EXIT.configuration, `refused to serve with ${name}, which is insecure`, {
        help: [advice],
      })
    }
    if (verdict === 'outdated') log.error('Security fixes are missing in what the broker runs on', fields)
    if (verdict === 'untested') log.warn('The broker is not tested with what it runs on', fields)
  }
}

function judgeNode(node: string): VersionVerdict {
  const name = `Node.js ${node}`
  const oldest = NODE_OLDEST[node.split('.')[0] ?? '']
  if (oldest === undefined) {
    return { name, verdict: 'untested', advice: `Use Node.js ${Object.keys(NODE_OLDEST).join(' or ')}.` }
  }
  const verdict = isAtLeast(node, oldest) ? 'good' : 'outdated'
  return { name, verdict, advice: `Install Node.js ${oldest} or later.` }
}

function judgeGrpc(grpc: string): VersionVerdict {
  return {
    name: `@grpc/grpc-js ${grpc}`,
    verdict: isAtLeast(grpc, GRPC_OLDEST) ? 'good' : 'insecure',
    advice: `Install ${GRPC_OLDEST} or later, as the lock file says: npm ci`,
  }
}

function grpcVersion(): string {
  const manifest = createRequire(import.meta.url)('@grpc/grpc-js/package.json') as { version: string }
  return manifest.version
}

/** Compares versions of three numbers. */
export function isAtLeast(found: string, oldest: string): boolean {
  const [a, b] = [found, oldest].map(text => text.split(/[.-]/).slice(0, 3).map(Number))
  const differences = [0, 1, 2].map(index => (a?.[index] ?? 0) - (b?.[index] ?? 0))
  return (differences.find(difference => difference !== 0) ?? 0) >= 0
}
