import { createRequire } from 'node:module'
import { inMemory, openDatabase, sqliteVersion } from '../store/sqlite-database.ts'
import { type Finding, findingsIn } from './doctor-finding.ts'
import { version } from './version.ts'

const { ok, warning, problem } = findingsIn('program')

/** Releases of Node with every security fix that the broker rests on, by their major version. */
const NODE_OLDEST: Readonly<Record<string, string>> = { '22': '22.23.2', '24': '24.18.1' }
/** Earlier ones take a peer for authenticated whose certificate was refused, and can be ended by a malformed frame. */
const GRPC_OLDEST = '1.14.7'

/** The versions of everything that is exposed to others or keeps the data. */
export function examineProgram(node = process.versions.node, grpc = grpcVersion()): Finding[] {
  return [ok(`token-broker ${version()}`), examineNode(node), examineGrpc(grpc), examineSqlite()]
}

function examineNode(node: string): Finding {
  const [major = ''] = node.split('.')
  const oldest = NODE_OLDEST[major]
  if (oldest === undefined) {
    return warning(
      `Node.js ${node} is no release that the broker is tested with`,
      `Use Node.js ${Object.keys(NODE_OLDEST).join(' or ')}.`,
    )
  }
  if (isAtLeast(node, oldest)) return ok(`Node.js ${node}`)
  return problem(`Node.js ${node} lacks security fixes`, `Install Node.js ${oldest} or later.`)
}

function examineGrpc(found: string): Finding {
  if (isAtLeast(found, GRPC_OLDEST)) return ok(`@grpc/grpc-js ${found}`)
  return problem(
    `@grpc/grpc-js ${found} lacks security fixes`,
    `Install ${GRPC_OLDEST} or later, as the lock file says: npm ci`,
  )
}

/** Opening one also checks that SQLite takes every setting that durability and secrecy need. */
function examineSqlite(): Finding {
  try {
    const database = openDatabase(inMemory)
    try {
      return ok(`SQLite ${sqliteVersion(database)}, with synchronous=FULL, secure_delete and all that is set`)
    } finally {
      database.close()
    }
  } catch (error) {
    return problem((error as Error).message, 'Install the packages as the lock file says: npm ci')
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
