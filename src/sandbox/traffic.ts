import type { Operation } from './dialect.ts'

/** Requests kept in full; the counts go on beyond it. */
const RECORDS_MAX = 10_000

/** One request to a dialect's server. */
export interface TrafficRecord {
  /** Counts from 1 since the start or the last reset. */
  readonly number: number
  /** Milliseconds since the epoch at which it arrived. */
  readonly time: number
  readonly dialect: string
  readonly operation: Operation
  /** Whom it claimed to come from; null where it did not say. */
  readonly clientId: string | null
  /** The fault that was put upon it; null = none. */
  readonly faultId: string | null
  /** The HTTP status, or how the connection was broken; null while it is being served. */
  readonly outcome: number | 'drop' | 'reset' | 'cut' | 'drip' | null
}

/** Which requests are meant; what is absent does not matter. */
export interface TrafficFilter {
  readonly dialect?: string
  readonly operation?: string
  readonly clientId?: string
}

/** What a request says about itself when it arrives. */
type Arrival = Omit<TrafficRecord, 'number' | 'outcome'>

/** Who asked for what. */
export interface Traffic {
  /** Counts a request; the returned function notes how it ended. */
  begin(arrival: Arrival): (outcome: TrafficRecord['outcome']) => void
  /** The newest {@link RECORDS_MAX} that match, oldest first. */
  list(filter?: TrafficFilter): readonly TrafficRecord[]
  /** All that ever matched since the start or the last reset. */
  count(filter?: TrafficFilter): number
  reset(): void
}

export function createTraffic(): Traffic {
  const counts = new Map<string, { readonly of: TrafficFilter; count: number }>()
  let records: TrafficRecord[] = []
  let total = 0

  return {
    begin(arrival) {
      total += 1
      const record = { number: total, ...arrival, outcome: null as TrafficRecord['outcome'] }
      records.push(record)
      if (records.length > RECORDS_MAX) records.shift()
      const { dialect, operation, clientId } = arrival
      const key = JSON.stringify([dialect, operation, clientId])
      const entry = counts.get(key) ?? {
        of: { dialect, operation, clientId: clientId ?? undefined },
        count: 0,
      }
      entry.count += 1
      counts.set(key, entry)
      return outcome => {
        record.outcome = outcome
      }
    },
    list: (filter = {}) => records.filter(record => matches(record, filter)).map(record => ({ ...record })),
    count: (filter = {}) =>
      [...counts.values()].reduce((sum, { of, count }) => sum + (matches(of, filter) ? count : 0), 0),
    reset() {
      records = []
      counts.clear()
      total = 0
    },
  }
}

type Tagged = { readonly [Tag in keyof TrafficFilter]: string | null | undefined }

function matches(of: Tagged, { dialect, operation, clientId }: TrafficFilter): boolean {
  return (
    (dialect === undefined || of.dialect === dialect) &&
    (operation === undefined || of.operation === operation) &&
    (clientId === undefined || of.clientId === clientId)
  )
}
