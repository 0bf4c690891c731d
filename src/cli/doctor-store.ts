import { existsSync, statSync } from 'node:fs'
import type { DataConfig } from '../config/data.ts'
import { commitMarkPath, isRolledBack, readCommitMarkFile } from '../store/commit-mark-file.ts'
import { loadRootKeys } from '../store/open-store.ts'
import { RootKeyError } from '../store/root-key.ts'
import { checkRootKey } from '../store/sealed-keyring.ts'
import { StoreSetupError } from '../store/setup-error.ts'
import { databasePath, inspectSqliteStore, type StoreInspection } from '../store/sqlite.ts'
import { type Finding, findingsIn } from './doctor-finding.ts'
import { formatDuration } from './time.ts'

const { ok, warning, problem } = findingsIn('store')

/** NIST SP 800-57 gives a symmetric data-encryption key up to two years of use; one leaves room to be late. */
const KEY_AGE_MS_MAX = 365 * 86_400_000
/** How far ahead of the clock a file may have been written: clocks of machines differ by so much. */
const AHEAD_MS_MAX = 60_000

/** The database, which is only read: whether it is the newest, whether the root key fits, how old the keys are. */
export async function examineStore(data: DataConfig, now: number): Promise<Finding[]> {
  const path = databasePath(data.dataDir)
  if (!existsSync(path)) return [examineAbsence(data.dataDir)]
  try {
    const stored = await inspectSqliteStore({ path })
    return [
      ...examineMark(data.dataDir, stored),
      examineRootKey(data, stored),
      ...examineKeys(stored, now),
      ...examineTimes(path, now),
    ]
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const why =
      error instanceof StoreSetupError
        ? error.message
        : `the database ${path} cannot be read (${codeOf(error)})`
    return [
      problem(why, 'Give it to the user that runs the broker; if it is damaged, restore it from a backup.'),
    ]
  }
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : error.name
}

function examineAbsence(dataDir: string): Finding {
  if (!isRolledBack(undefined, readCommitMarkFile(commitMarkPath(dataDir))))
    return ok('there is no database yet; serve makes it')
  return problem(
    'the database that was in use here is gone',
    'Put it back, or restore a backup; to begin with an empty one, start once with --accept-restore.',
  )
}

function examineMark(dataDir: string, { commitMark }: StoreInspection): Finding[] {
  if (!isRolledBack(commitMark, readCommitMarkFile(commitMarkPath(dataDir))))
    return [ok('the database is the newest that was used here')]
  return [
    problem(
      'the database is an older copy, or another one, than was in use here',
      'Put the newest one back, or start once with --accept-restore.',
    ),
  ]
}

function examineRootKey(data: DataConfig, stored: StoreInspection): Finding {
  // Without keys in the store, to load the root key would make one.
  if (stored.keys.length === 0) return ok('the database has no keys yet')
  try {
    checkRootKey(stored, loadRootKeys(data, stored).current)
    return ok('the root key fits the database')
  } catch (error) {
    if (!(error instanceof RootKeyError)) throw error
    return problem(error.message, 'Without the right root key nothing that is stored can be read.')
  }
}

function examineKeys({ keys }: StoreInspection, now: number): Finding[] {
  const seals = keys.filter(({ purpose }) => purpose === 'seal')
  const primary = seals.find(({ state }) => state === 'primary')
  const findings: Finding[] = []
  if (primary !== undefined) {
    const age = now - primary.createdAt
    const what = `the key ${primary.kid} that seals was made ${formatDuration(Math.max(0, age))} ago`
    if (age < -AHEAD_MS_MAX)
      findings.push(
        problem(`the key ${primary.kid} was made in the future`, 'Set the clock of this machine.'),
      )
    else if (age > KEY_AGE_MS_MAX) findings.push(warning(what, 'Run: token-broker keys rotate'))
    else findings.push(ok(what))
  }
  if (seals.some(({ state }) => state === 'pending')) {
    findings.push(
      warning(
        'a rotation of keys was not finished',
        'Start the broker, which finishes it, or run: token-broker keys rotate',
      ),
    )
  }
  return findings
}

/** A clock that went back makes tokens live longer than they do. */
function examineTimes(path: string, now: number): Finding[] {
  const ahead = statSync(path).mtimeMs - now
  if (ahead <= AHEAD_MS_MAX) return []
  return [
    problem(
      `the database was written ${formatDuration(ahead)} ahead of this machine's clock`,
      'Set the clock, and keep it right with NTP.',
    ),
  ]
}
