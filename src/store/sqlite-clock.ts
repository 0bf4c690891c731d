import type { Database } from 'better-sqlite3'
import type { Transactions } from './sqlite-transactions.ts'
import type { Store } from './store.ts'

/** The table of one row that holds the clock mark. */
export function createClockMark(
  database: Database,
  { read, write }: Transactions,
): Pick<Store, 'clockMark' | 'raiseClockMark' | 'setClockMark'> {
  const find = database.prepare<[], number>('SELECT highest FROM clock_mark').pluck()
  const raise = database.prepare<[number]>(
    `INSERT INTO clock_mark (id, highest) VALUES (1, ?)
     ON CONFLICT (id) DO UPDATE SET highest = max(highest, excluded.highest)`,
  )
  const set = database.prepare<[number]>(
    'INSERT INTO clock_mark (id, highest) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET highest = excluded.highest',
  )
  return {
    setClockMark: now =>
      write(() => {
        set.run(now)
      }),
    clockMark: () => read(() => find.get()),
    raiseClockMark: now =>
      write(() => {
        raise.run(now)
      }),
  }
}
