import type { Connection } from '../connection.ts'
import type { Log } from '../ports.ts'
import { type PlanPorts, renewInTime } from './renew-connection.ts'
import { USED_WITHIN_MS } from './schedule.ts'
import { lastUse, type Usage } from './usage.ts'

interface Ports extends PlanPorts {
  readonly usage: Usage
  readonly log: Log
}

/**
 * Creates what is told of each use of a connection. The first after more than a week has its renewal planned anew,
 * behind the back of the caller: else it would be left to expire, or to the schedule of one that nobody uses.
 */
export function createTouch(ports: Ports): (connection: Connection) => void {
  const { usage, connections, clock, log } = ports
  return connection => {
    const { row } = connection
    const isWoken = clock.now() - lastUse(usage, row) > USED_WITHIN_MS
    usage.touch(connection)
    if (!isWoken) return
    // It may have been refreshed since it was read, as one that nobody uses.
    const current = connections.peek(row) ?? connection
    void renewInTime(ports, current).catch(error => {
      const { provider, account } = row
      log.warn('Could not plan the renewal of a connection that is used again', { provider, account, error })
    })
  }
}
