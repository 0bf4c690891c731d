import { lstatSync, readdirSync, type Stats, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import type { DataConfig } from '../config/data.ts'
import { OPERATOR_TOKEN_FILE } from '../config/operator-token.ts'
import { isNetworkFilesystem } from '../store/data-lock.ts'
import { isOpenToOthers } from '../store/private-file.ts'
import { type Finding, findingsIn } from './doctor-finding.ts'
import { counted } from './output.ts'
import { formatDuration } from './time.ts'

const { ok, warning, problem } = findingsIn('files')

const MEBIBYTE = 1024 * 1024
/** As long as a static token of a caller may live at most. */
const OPERATOR_TOKEN_AGE_MS_MAX = 365 * 86_400_000
/** Room for a database of 100,000 connections, its log and a backup. */
const FREE_BYTES_LOW = 512 * MEBIBYTE
/** Below it, the next write may be the one that fails. */
const FREE_BYTES_NONE = 32 * MEBIBYTE
/**
 * Who may read and write the data directory and what lies in it. A link is looked at itself: what it leads to may be
 * somebody else's, and no mode of a link counts.
 */
export function examineData({ dataDir }: Pick<DataConfig, 'dataDir'>): Finding[] {
  if (lstatOf(dataDir) === undefined) return [ok(`${dataDir} does not exist yet; serve makes it`)]
  const folder = statOf(dataDir)
  if (folder === undefined)
    return [problem(`${dataDir} is a link that leads nowhere`, 'Bring back what it leads to, or remove it.')]
  if (!folder.isDirectory()) return [problem(`${dataDir} is no folder`, 'Set data_dir to one.')]
  const names = namesIn(dataDir)
  if (names === undefined) {
    return [
      problem(`this user may not look into ${dataDir}`, 'Run the doctor as the user that runs the broker.'),
    ]
  }
  const paths = names.map(name => join(dataDir, name))
  const findings = [...examinePrivate(dataDir, folder), ...paths.flatMap(examineEntry)]
  const all =
    findings.length > 0 ? findings : [ok(`${dataDir} and ${counted(names.length, 'file')} in it are private`)]
  return [...all, ...examineDisk(dataDir)]
}

/** Folders are skipped: the way to what is in them leads through the data directory. */
function examineEntry(path: string): Finding[] {
  // A running broker may have removed it since.
  const stats = lstatOf(path)
  if (stats === undefined || stats.isDirectory()) return []
  if (!stats.isSymbolicLink()) return examinePrivate(path, stats)
  if (statOf(path) === undefined)
    return [problem(`${path} is a link that leads nowhere`, 'Bring back what it leads to, or remove it.')]
  return [
    warning(
      `${path} is a link, and what it leads to is not looked at`,
      'Put the file itself there: nothing but this folder keeps others from it.',
    ),
  ]
}

/** How old the operator's token is, which has no end of its own: by the file, which is never written again. */
export function examineOperatorToken(
  { dataDir, operatorToken }: Pick<Config, 'dataDir' | 'operatorToken'>,
  now: number,
): Finding[] {
  const stats = lstatOf(join(dataDir, OPERATOR_TOKEN_FILE))
  if (operatorToken === 'off' || stats === undefined) return []
  const age = Math.max(0, now - stats.mtimeMs)
  const what = `the operator's token was made ${formatDuration(age)} ago`
  if (age <= OPERATOR_TOKEN_AGE_MS_MAX) return [ok(what)]
  return [
    warning(what, `To replace it: delete ${join(dataDir, OPERATOR_TOKEN_FILE)}, and restart the broker.`),
  ]
}

/** Undefined where there is nothing, or this user may not look. */
function lstatOf(path: string): Stats | undefined {
  return orUndefined(() => lstatSync(path))
}

/** Undefined also where a link leads nowhere, or in a circle. */
function statOf(path: string): Stats | undefined {
  return orUndefined(() => statSync(path))
}

function namesIn(folder: string): string[] | undefined {
  return orUndefined(() => readdirSync(folder))
}

function orUndefined<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch {
    return undefined
  }
}

function examinePrivate(path: string, { mode, uid }: Stats): Finding[] {
  const me = process.getuid?.()
  const findings: Finding[] = []
  if (isOpenToOthers(mode)) {
    const isFolder = (mode & 0o170000) === 0o040000
    findings.push(
      problem(
        `${path} is open to other users (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`,
        `Run: chmod ${isFolder ? 700 : 600} ${path}`,
      ),
    )
  }
  // Root looks into everybody's house.
  if (me !== undefined && me !== 0 && uid !== me) {
    findings.push(
      warning(
        `${path} belongs to the user ${uid}, not to ${me}`,
        'Run the doctor as the user that runs the broker, or give the files to that user.',
      ),
    )
  }
  return findings
}

function examineDisk(dataDir: string): Finding[] {
  const { bavail, bsize, type } = statfsSync(dataDir)
  const free = bavail * bsize
  const room = `${Math.floor(free / MEBIBYTE)} MiB are free in ${dataDir}`
  const advice = 'Make room: without it no token can be renewed.'
  const network = process.platform === 'linux' && isNetworkFilesystem(type)
  return [
    ...(network
      ? [problem(`${dataDir} is on a network file system, where locks fail silently`, 'Use a local disk.')]
      : []),
    free < FREE_BYTES_NONE ? problem(room, advice) : free < FREE_BYTES_LOW ? warning(room, advice) : ok(room),
  ]
}
