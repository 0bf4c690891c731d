import type { Damageable } from './rows.ts'
import { StoreError } from './store.ts'

/**
 * How a field stands in its column: as it is, as one of these texts, as 0 and 1, or as JSON text of a list, of a map, or of
 * an object that has no empty form. A text that is none of those allowed reads as the first of them, which has to be one
 * that the next refresh puts right.
 */
type Encoding = 'plain' | readonly string[] | 'flag' | 'list' | 'map' | 'object'

/** One encoding for every field of a row; a field that is forgotten does not compile. */
export type Columns<Row> = {
  readonly [Field in Exclude<keyof Required<Row>, keyof Damageable> & string]: Encoding
}

export type SqlValue = string | number | Uint8Array | null

/** A row as the database has it: columns in snake_case, `null` for what is absent. */
export type SqlRecord = Record<string, SqlValue>

/** The columns of one table, and how rows go in and out. */
export interface Codec<Row> {
  readonly columnNames: readonly string[]
  recordFromRow(row: Row): SqlRecord
  /** @throws StoreError `corrupt` if a column is not what was written */
  rowFromRecord(record: SqlRecord): Row
  /** The same of what can be read: a damaged column is empty, and named. */
  readableRow(record: SqlRecord): Row & Damageable
}

/** Makes the codec of a table whose columns are named like the fields. */
export function createCodec<Row extends object>(columns: Columns<Row>): Codec<Row> {
  const fields = Object.entries<Encoding>(columns).map(([field, encoding]) => ({
    field,
    encoding,
    column: columnName(field),
  }))

  function decodeAll(record: SqlRecord): { readonly row: Row; readonly damaged: readonly string[] } {
    const damaged: string[] = []
    const present = fields.filter(({ column }) => record[column] !== null)
    const values = present.map(({ field, column, encoding }) => {
      const value = decode(encoding, record[column])
      if (value === undefined) damaged.push(column)
      return [field, value ?? empty(encoding)]
    })
    return { row: Object.fromEntries(values) as Row, damaged }
  }

  return {
    columnNames: fields.map(({ column }) => column),
    recordFromRow(row) {
      const values = row as Readonly<Record<string, unknown>>
      return Object.fromEntries(
        fields.map(({ field, column, encoding }) => [column, encode(encoding, values[field])]),
      )
    },
    rowFromRecord(record) {
      const { row, damaged } = decodeAll(record)
      if (damaged.length === 0) return row
      const message = `column ${damaged.join(', ')} of the database is damaged; restore it from a backup`
      throw new StoreError('corrupt', message)
    },
    readableRow(record) {
      const { row, damaged } = decodeAll(record)
      return damaged.length === 0 ? row : { ...row, damaged }
    },
  }
}

/** `INSERT` of a whole row, with the columns as named parameters. */
export function insertSql(table: string, columnNames: readonly string[]): string {
  const parameters = columnNames.map(name => `@${name}`)
  return `INSERT INTO ${table} (${columnNames.join(', ')}) VALUES (${parameters.join(', ')})`
}

function columnName(field: string): string {
  return field.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}

function encode(encoding: Encoding, value: unknown): SqlValue {
  if (value === undefined) return null
  if (encoding === 'flag') return value === true ? 1 : 0
  const isJson = encoding === 'list' || encoding === 'map' || encoding === 'object'
  return isJson ? JSON.stringify(value) : (value as SqlValue)
}

/** @returns undefined if that is not what was written */
function decode(encoding: Encoding, value: SqlValue | undefined): unknown {
  if (encoding === 'flag') return value === 1
  if (encoding === 'plain') return value
  if (typeof encoding !== 'string') return encoding.find(text => text === value) ?? encoding[0]
  try {
    const parsed: unknown = JSON.parse(String(value))
    const isMap = typeof parsed === 'object' && !Array.isArray(parsed)
    return parsed === null || isMap === (encoding === 'list') ? undefined : parsed
  } catch {
    // Its message would quote what it could not parse.
    return undefined
  }
}

function empty(encoding: Encoding): unknown {
  if (encoding === 'list') return []
  return encoding === 'map' ? {} : undefined
}
