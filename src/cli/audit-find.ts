import { AdminServiceService, type Release } from '../gen/tokenbroker/v1/admin.ts'
import { withBroker } from './client.ts'
import { EXIT, usageError } from './exit.ts'
import type { Io } from './io.ts'
import { note, plain, print, printJson, styleFor, table } from './output.ts'
import { formatInstant } from './time.ts'

export interface AuditFindOptions {
  /** `-`: stdin. Anything else is refused here and not by commander, which would repeat it. */
  readonly token: string
  readonly json?: boolean
}

/** Longer than any token; whoever pipes a whole log file means something else. */
const INPUT_BYTES_MAX = 64 * 1024

/** Releases in one answer, as the `.proto` file says. */
const RELEASES_MAX = 1_000

/** Answers who has had a token. */
export async function auditFind({ token, json }: AuditFindOptions, io: Io): Promise<number> {
  if (token !== '-') {
    throw usageError(
      'others can read the token on a command line: give it on stdin, with --token - or nothing',
    )
  }
  const accessToken = await readToken(io)
  const { releases, fingerprint } = await withBroker(io, broker =>
    broker.call(AdminServiceService.findReleases, { accessToken }),
  )
  if (json) printJson(io, { fingerprint, releases })
  else if (releases.length > 0) printReleases(releases, io)
  else note(io, 'As far as the records go, and this caller may see them, nobody was given this token.')
  if (releases.length >= RELEASES_MAX) {
    note(
      io,
      `These are the latest ${RELEASES_MAX}. All of them: token-broker audit export --event TOKEN_RELEASED | grep ${fingerprint}`,
    )
  }
  return releases.length > 0 ? EXIT.ok : EXIT.negative
}

async function readToken(io: Io): Promise<string> {
  const input = await io.readStdin(INPUT_BYTES_MAX)
  if (input === undefined) throw usageError(`stdin has more than ${INPUT_BYTES_MAX} bytes: give it one token`)
  // As it stands in a request's header, a .env file's quotes and so on: people paste what they find.
  const token = input
    .trim()
    .replace(/^(authorization:\s*)?bearer\s+/i, '')
    .replace(/^(["'])(.*)\1$/s, '$2')
  if (token === '')
    throw usageError('stdin is empty: give it the token, for example by pbpaste | token-broker audit find')
  if (/\s/.test(token)) throw usageError('stdin has more than one word: give it the token alone')
  return token
}

function printReleases(releases: readonly Release[], io: Io): void {
  const style = styleFor(io.stdout, io.env)
  const headings = ['CALLER', 'AUTHENTICATION', 'PROVIDER', 'ACCOUNT', 'FIRST', 'LAST', 'TIMES', 'VERSION']
  const rows = releases.map(release => [
    plain(release.caller),
    plain(release.authentication),
    plain(release.provider),
    release.account === '' ? '-' : plain(release.account),
    release.firstTime ? formatInstant(release.firstTime) : '-',
    release.lastTime ? formatInstant(release.lastTime) : '-',
    String(release.count),
    plain(release.version),
  ])
  print(
    io,
    ...table(
      headings.map(heading => style('heading', heading)),
      rows,
    ),
  )
}
