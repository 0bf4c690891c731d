/** The key id within a sealed value, where sealing.ts puts it; NULL for what is no sealed value and empty. */
const kidOf = (value: string) => `substr(${value}, 5, 8)`

/** Every column that holds sealed values. */
const places = [
  ['connections', 'sealed_access_token'],
  ['connections', 'sealed_refresh_token'],
  ['connections', 'sealed_sibling'],
  ['revocations', 'sealed_access_token'],
  ['revocations', 'sealed_refresh_token'],
  ['consents', 'sealed_verifier'],
  ['consents', 'sealed_code'],
] as const
type Place = (typeof places)[number]

const added = 'ON CONFLICT (kid) DO UPDATE SET count = count + excluded.count'

const countPresent = ([table, column]: Place) => `
INSERT INTO sealed_counts (kid, count)
  SELECT ${kidOf(column)} AS kid, count(*) FROM ${table} WHERE ${kidOf(column)} IS NOT NULL GROUP BY kid
  ${added};
`

const countChanges = ([table, column]: Place) => `
CREATE TRIGGER ${table}_${column}_inserted AFTER INSERT ON ${table}
WHEN ${kidOf(`new.${column}`)} IS NOT NULL BEGIN
  INSERT INTO sealed_counts (kid, count) VALUES (${kidOf(`new.${column}`)}, 1) ${added};
END;

CREATE TRIGGER ${table}_${column}_updated AFTER UPDATE OF ${column} ON ${table}
WHEN ${kidOf(`new.${column}`)} IS NOT ${kidOf(`old.${column}`)} BEGIN
  UPDATE sealed_counts SET count = count - 1 WHERE kid = ${kidOf(`old.${column}`)};
  INSERT INTO sealed_counts (kid, count)
    SELECT ${kidOf(`new.${column}`)}, 1 WHERE ${kidOf(`new.${column}`)} IS NOT NULL ${added};
END;

CREATE TRIGGER ${table}_${column}_deleted AFTER DELETE ON ${table} BEGIN
  UPDATE sealed_counts SET count = count - 1 WHERE kid = ${kidOf(`old.${column}`)};
END;
`

/**
 * Version 7: how many sealed values name each key. Counting them when asked looks each of them up in its table, although
 * an index has all that is counted: for 200,000 values that are not in memory, minutes. Triggers count, so that no
 * statement can forget to.
 */
export const sealedCounts = `
CREATE TABLE sealed_counts (
  kid   BLOB    NOT NULL PRIMARY KEY,
  count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
${places.map(countPresent).join('')}${places.map(countChanges).join('')}`
