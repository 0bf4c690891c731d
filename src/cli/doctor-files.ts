import { existsSync, readdirSync, type Stats, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import type { DataConfig } from '../config/data.ts'
import { isNetworkFilesystem } from '../store/data-lock.ts'
import { isOpenToOthers } from '../store/private-file.ts'
import { type Finding, findingsIn } from './doctor-finding.ts'

const { ok, warning, problem } = findingsIn('files')

const MEBIBYTE = 1024 * 1024
/** Room for a database of 100,000 connections, its log and a backup. */
const FREE_BYTES_LOW = 512 * MEBIBYTE
/** Below it, the next write may be the one that fails. */
const FREE_BYTES_NONE = 32 * MEBIBYTE
/** What the group and others may write. */
const FOREIGN_WRITE = 0o022
/** What everybody may read. */
const OTHERS_READ = 0o004

/** Who may read and write the data directory and what lies in it. */
export function examineData({ dataDir, rootKey }: DataConfig): Finding[] {
  if (!existsSync(dataDir)) return [ok(`${dataDir} does not exist yet; serve makes it`)]
  const folder = statSync(dataDir)
  if (!folder.isDirectory()) return [problem(`${dataDir} is no folder`, 'Set data_dir to one.')]
  const names = readdirSync(dataDir).filter(name => !existsAsFolder(join(dataDir, name)))
  const paths = names.map(name => join(dataDir, name))
  if (rootKey.kind === 'file' && !paths.includes(rootKey.path) && existsSync(rootKey.path))
    paths.push(rootKey.path)
  const findings = [dataDir, ...paths].flatMap(path => examinePrivate(path, statSync(path)))
  const all = findings.length > 0 ? findings : [ok(`${dataDir} and its ${names.length} files are private`)]
  return [...all, ...examineDisk(dataDir)]
}

function existsAsFolder(path: string): boolean {
  return statSync(path).isDirectory()
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

/** Who may write the configuration, and read what listeners prove themselves with. */
export function examineNamedFiles(config: Pick<Config, 'listen'>, configPath: string | undefined): Finding[] {
  const listeners = [...config.listen.grpc, config.listen.http, config.listen.admin]
  const keys = listeners.flatMap(listener =>
    'tls' in listener && typeof listener.tls === 'object' ? (listener.tls.files?.key ?? []) : [],
  )
  return [
    ...(configPath === undefined ? [] : examineConfigFile(configPath)),
    ...[...new Set(keys)].flatMap(examineTlsKey),
  ]
}

function examineConfigFile(path: string): Finding[] {
  if (process.platform === 'win32' || (statSync(path).mode & FOREIGN_WRITE) === 0)
    return [ok(`only its owner writes ${path}`)]
  return [
    problem(
      `other users can change ${path}, and with it who may have which token`,
      `Run: chmod go-w ${path}`,
    ),
  ]
}

function examineTlsKey(path: string): Finding[] {
  if (!existsSync(path) || (statSync(path).mode & OTHERS_READ) === 0) return []
  return [
    problem(
      `every user can read the key ${path}`,
      `Run: chmod o-r ${path}, and consider the key known if they are not trusted.`,
    ),
  ]
}
