import { realpathSync, type Stats, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { NamedFile } from '../config/named-files.ts'
import { type Finding, findingsIn } from './doctor-finding.ts'
import { counted } from './output.ts'

const { ok, warning, problem } = findingsIn('files')

/** What the group and others may write. */
const FOREIGN_WRITE = 0o022
/** Who must not read what a file holds. For other secrets than the root key a group may be meant, as in mounts. */
const FOREIGN_READ = { root_key: 0o044, secret: 0o004, trust: 0 } as const
/** In such a folder only the owner of a file replaces it. */
const STICKY = 0o1000

/**
 * Who can read and change what the configuration names, and the configuration itself: by the mode and the owner of each
 * file and of the folder that it is in. Files in the data directory are looked at with it.
 *
 * @param configPath absent = there is no file
 */
export function examineNamedFiles(
  files: readonly NamedFile[],
  { dataDir, configPath }: { readonly dataDir?: string; readonly configPath?: string },
): Finding[] {
  if (process.platform === 'win32') return []
  const outside = files.filter(({ path }) => dataDir === undefined || !path.startsWith(`${dataDir}/`))
  const config: NamedFile[] = configPath === undefined ? [] : [{ path: configPath, holds: 'trust' }]
  const all = [...config, ...outside].flatMap(({ path, holds }) => {
    const target = targetOf(path)
    return target === undefined ? [] : { path: target, holds }
  })
  const folders = new Set([...config, ...outside, ...all].map(({ path }) => dirname(path)))
  const findings = [
    ...all.flatMap(file => examineFile(file)),
    ...[...folders].flatMap(folder => examineFolder(folder)),
  ]
  if (findings.length > 0 || all.length === 0) return findings
  return [ok(`other users cannot change ${counted(all.length, 'file')} that the broker is told of`)]
}

function examineFile({ path, holds }: NamedFile): Finding[] {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return []
  const isRead = (stats.mode & FOREIGN_READ[holds]) !== 0
  return [
    ...(isRead
      ? [
          problem(
            `other users can read ${path}, which holds a secret`,
            `Run: chmod go-r ${path}, and consider the secret known if they are not trusted.`,
          ),
        ]
      : []),
    ...((stats.mode & FOREIGN_WRITE) === 0 ? [] : [changeable(path, holds)]),
    ...examineOwner(path, stats),
  ]
}

function changeable(path: string, holds: NamedFile['holds']): Finding {
  const power = holds === 'trust' ? ', and with it who is believed and who may have which token' : ''
  return problem(`other users can change ${path}${power}`, `Run: chmod go-w ${path}`)
}

/** Who may write a folder puts another file in the place of any in it. */
function examineFolder(path: string): Finding[] {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return []
  const isOpen = (stats.mode & FOREIGN_WRITE) !== 0 && (stats.mode & STICKY) === 0
  return [
    ...(isOpen
      ? [
          problem(
            `other users can replace files in ${path}, which the broker reads`,
            `Run: chmod go-w ${path}`,
          ),
        ]
      : []),
    ...examineOwner(path, stats),
  ]
}

/** Root may change everything anyway, and mounts what containers read. */
function examineOwner(path: string, { uid }: Stats): Finding[] {
  const me = process.getuid?.()
  if (me === undefined || me === 0 || uid === me || uid === 0) return []
  return [
    warning(
      `${path} belongs to the user ${uid}, who can change it`,
      'Give it to root or to the user that runs the broker.',
    ),
  ]
}

/** What a link leads to is what is read. Undefined if that is nothing, which `serve` says with more words. */
function targetOf(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}
