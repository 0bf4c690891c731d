import { StoreError } from './store.ts'

/** How a field stands in its column: as it is, as JSON text, or as 0 and 1. */
type Encoding = 'plain' | 'json' | 'flag'

/** One encoding for every field of a row; a field that is forgotten does not compile. */
export type Columns<Row> = { readonly [Field in keyof Required<Row> & string]: Encoding }

export type SqlValue = string | number | Uint8Array | null

/** A row as the database has it: columns in snake_case, `null` for what is absent. */
export type SqlRecord = Record<string, SqlValue>

/** The columns of one table, and how rows go in and out. */
export interface Codec<Row> {
  readonly columnNames: readonly string[]
  recordFromRow(row: Row): SqlRecord
  /** @throws StoreError `corrupt` if a column is not what was written */
  rowFromRecord(record: SqlRecord): Row
}

/** Makes the codec of a table whose columns are named like the fields. */
export function createCodec<Row extends object>(columns: Columns<Row>): Codec<Row> {
  const fields = Object.entries<Encoding>(columns).map(([field, encoding]) => ({
    field,
    encoding,
    column: columnName(field),
  }))
  return {
    columnNames: fields.map(({ column }) => column),
    recordFromRow(row) {
      const values = row as Readonly<Record<string, unknown>>
      return Object.fromEntries(
        fields.map(({ field, column, encoding }) => [column, encode(encoding, values[field])]),
      )
    },
    rowFromRecord(record) {
      const present = fields.filter(({ column }) => record[column] !== null)
      return Object.fromEntries(
        present.map(({ field, column, encoding }) => [field, decode(encoding, record[column], column)]),
      ) as Row
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
  if (encoding === 'json') return JSON.stringify(value)
  if (encoding === 'flag') return value === true ? 1 : 0
  return value as SqlValue
}

function decode(encoding: Encoding, value: SqlValue | undefined, column: string): unknown {
  if (encoding === 'flag') return value === 1
  if (encoding === 'plain') return value
  try {
    return JSON.parse(String(value))
  } catch {
    // Without the cause: its message quotes what it could not parse.
    throw new StoreError('corrupt', `column ${column} of the database is damaged; restore it from a backup`)
  }
}
