import { inMemory, openDatabase, sqliteVersion } from '../store/sqlite-database.ts'
import { type Finding, findingsIn } from './doctor-finding.ts'
import { judgeVersions, type VersionVerdict } from './serve-versions.ts'
import { version } from './version.ts'

const { ok, warning, problem } = findingsIn('program')

/** The versions of everything that is exposed to others or keeps the data. */
export function examineProgram(verdicts = judgeVersions()): Finding[] {
  return [ok(`token-broker ${version()}`), ...verdicts.map(findingOf), examineSqlite()]
}

function findingOf({ name, verdict, advice }: VersionVerdict): Finding {
  if (verdict === 'good') return ok(name)
  if (verdict === 'untested') return warning(`${name} is no release that the broker is tested with`, advice)
  const effect = verdict === 'insecure' ? '; serve refuses to start with it' : ''
  return problem(`${name} lacks security fixes${effect}`, advice)
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
