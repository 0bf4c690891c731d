import { AdminServiceService, type Restore } from '../gen/tokenbroker/v1/admin.ts'
import { withBroker } from './client.ts'
import { EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { plain, print, printJson } from './output.ts'
import { formatTime } from './time.ts'

/** Tells what became of the connections of the last older copy that a running broker was made to accept. */
export async function restoreStatus({ json }: { readonly json?: boolean }, io: Io): Promise<number> {
  const { restore: last } = await withBroker(io, broker => broker.call(AdminServiceService.getRestore, {}))
  if (json) printJson(io, { restore: last && restoreToJson(last) })
  else if (last === undefined) print(io, 'No older copy was ever accepted.')
  else print(io, ...sentences(last, io))
  return last !== undefined && last.lostCount > 0 ? EXIT.negative : EXIT.ok
}

function sentences({ acceptTime, survivedCount, lostCount, pendingCount, lostConnections }: Restore, io: Io) {
  const names = lostConnections.map(({ provider, account }) =>
    `  ${plain(provider)} ${plain(account)}`.trimEnd(),
  )
  return [
    `Accepted ${formatTime(acceptTime, io.now()) ?? ''}: ${survivedCount} survived, ${lostCount} lost, ${pendingCount} not checked yet.`,
    ...(names.length > 0 ? ['These need a new consent:', ...names] : []),
  ]
}

function restoreToJson({
  acceptTime,
  survivedCount,
  lostCount,
  pendingCount,
  lostConnections,
}: Restore): object {
  return {
    acceptTime: acceptTime?.toISOString(),
    survivedCount,
    lostCount,
    pendingCount,
    lostConnections: lostConnections.map(({ provider, account }) => ({ provider, account })),
  }
}
