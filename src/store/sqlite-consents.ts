import type { Database } from 'better-sqlite3'
import type { ConsentHold, ConsentOutcome, ConsentRow, ConsentStart } from './consent-rows.ts'
import type { AuditEntry } from './record-rows.ts'
import type { AddEntry } from './sqlite-audit.ts'
import { insertSql, type SqlRecord } from './sqlite-codec.ts'
import type { Transactions } from './sqlite-transactions.ts'
import type { Store } from './store.ts'
import { codecs } from './table-columns.ts'

const { columnNames, recordFromRow, rowFromRecord, readableRow } = codecs.consents

type Consents = Pick<
  Store,
  | 'createConsent'
  | 'findConsent'
  | 'findConsentByLink'
  | 'startConsent'
  | 'takeConsentByState'
  | 'holdConsent'
  | 'takeHeldConsent'
  | 'expireHeldConsents'
  | 'finishConsent'
  | 'pruneConsents'
>

/**
 * Ends a consent within the transaction that is open.
 *
 * @returns whether it had not ended
 */
export type EndConsent = (id: string, outcome: ConsentOutcome) => boolean

/** For the table whose changes end consents. */
export function createEndConsent(database: Database): EndConsent {
  const finish = database.prepare<[SqlRecord]>(
    `UPDATE consents SET state = @state, finished_at = @finishedAt, error_reason = @errorReason,
       error_message = @errorMessage, error_provider_code = @errorProviderCode,
       ${wiped}
     WHERE id = @id AND (state IN ('PENDING', 'HELD') OR (state = 'EXPIRED' AND @state = 'COMPLETED'))`,
  )
  return (id, outcome) => finish.run({ id, ...outcomeParameters(outcome) }).changes > 0
}

/** The table of consents. Link and state are used up by the very statement that finds them. */
export function createConsents(
  database: Database,
  { read, write, erase }: Transactions,
  add: AddEntry,
  end: EndConsent,
): Consents {
  const table = prepareStatements(database)

  function expire(now: number, entryOf?: (consent: ConsentRow) => AuditEntry): ConsentRow[] {
    const expired = table.expire.all({ now }).map(readableRow)
    for (const consent of expired) add(entryOf?.(consent))
    return expired
  }

  return {
    createConsent: (consent, entry) =>
      write(() => {
        table.insert.run(recordFromRow(consent))
        add(entry)
      }),
    findConsent: id => read(() => table.find.all(id).map(rowFromRecord)[0]),
    findConsentByLink: linkHash => read(() => table.findByLink.all(linkHash).map(rowFromRecord)[0]),
    startConsent: (linkHash, start) =>
      write(() => table.start.all({ linkHash, ...startParameters(start) }).map(rowFromRecord)[0]),
    takeConsentByState: stateHash => write(() => table.take.all(stateHash).map(rowFromRecord)[0]),
    holdConsent: (id, hold, entry) =>
      write(() => {
        const { changes } = table.hold.run({ id, ...holdParameters(hold) })
        if (changes > 0) add(entry)
        return changes > 0
      }),
    takeHeldConsent: (id, expiresAt) =>
      write(() => {
        const held = table.findHeld.all(id).map(rowFromRecord)[0]
        if (held !== undefined) table.takeHeld.run({ id, expiresAt })
        return held
      }),
    async expireHeldConsents(now, entryOf) {
      // Mostly there is none, and then nothing is written.
      const due = await read(() => table.isAnyDue.pluck().get(now) === 1)
      return due ? erase(() => expire(now, entryOf)) : []
    },
    finishConsent: (id, outcome, entry) =>
      erase(() => {
        if (end(id, outcome)) add(entry)
      }),
    pruneConsents: createdBefore =>
      erase(() => {
        table.prune.run(createdBefore)
      }),
  }
}

/** What an ended consent keeps nothing of. */
const wiped = 'state_hash = NULL, sealed_verifier = NULL, receipt_hash = NULL, sealed_code = NULL'

function prepareStatements(database: Database) {
  const columns = columnNames.join(', ')
  return {
    insert: database.prepare<[SqlRecord]>(insertSql('consents', columnNames)),
    find: database.prepare<[string], SqlRecord>(`SELECT ${columns} FROM consents WHERE id = ?`),
    findByLink: database.prepare<[string], SqlRecord>(`SELECT ${columns} FROM consents WHERE link_hash = ?`),
    start: database.prepare<[SqlRecord], SqlRecord>(
      `UPDATE consents SET started_at = @now, expires_at = @expiresAt, state_hash = @stateHash,
         cookie_hash = @cookieHash, sealed_verifier = @sealedVerifier, redirect_uri = @redirectUri
       WHERE link_hash = @linkHash AND state = 'PENDING' AND started_at IS NULL AND expires_at > @now
       RETURNING ${columns}`,
    ),
    take: database.prepare<[string], SqlRecord>(
      `UPDATE consents SET state_hash = NULL WHERE state_hash = ? AND state = 'PENDING' RETURNING ${columns}`,
    ),
    hold: database.prepare<[SqlRecord]>(
      `UPDATE consents SET state = 'HELD', expires_at = @expiresAt, receipt_hash = @receiptHash,
         sealed_code = @sealedCode WHERE id = @id AND state = 'PENDING'`,
    ),
    findHeld: database.prepare<[string], SqlRecord>(
      `SELECT ${columns} FROM consents WHERE id = ? AND state = 'HELD' AND receipt_hash IS NOT NULL`,
    ),
    takeHeld: database.prepare<[SqlRecord]>(
      'UPDATE consents SET receipt_hash = NULL, expires_at = @expiresAt WHERE id = @id',
    ),
    isAnyDue: database.prepare<[number], number>(
      'SELECT EXISTS (SELECT 1 FROM consents WHERE sealed_code IS NOT NULL AND expires_at <= ?)',
    ),
    expire: database.prepare<[SqlRecord], SqlRecord>(
      `UPDATE consents SET state = 'EXPIRED', finished_at = @now, ${wiped}
       WHERE sealed_code IS NOT NULL AND expires_at <= @now AND state = 'HELD' RETURNING ${columns}`,
    ),
    prune: database.prepare<[number]>('DELETE FROM consents WHERE created_at < ?'),
  }
}

function startParameters({ sealedVerifier, ...start }: ConsentStart): SqlRecord {
  return { ...start, sealedVerifier: sealedVerifier ?? null }
}

function holdParameters({ expiresAt, receiptHash, sealedCode }: ConsentHold): SqlRecord {
  return { expiresAt, receiptHash, sealedCode }
}

function outcomeParameters(outcome: ConsentOutcome): SqlRecord {
  return {
    state: outcome.state,
    finishedAt: outcome.finishedAt,
    errorReason: outcome.errorReason ?? null,
    errorMessage: outcome.errorMessage ?? null,
    errorProviderCode: outcome.errorProviderCode ?? null,
  }
}
