import type { Database } from 'better-sqlite3'
import type { ConsentOutcome, ConsentStart } from './rows.ts'
import { insertSql, type SqlRecord } from './sqlite-codec.ts'
import type { Transactions } from './sqlite-transactions.ts'
import type { Store } from './store.ts'
import { codecs } from './table-columns.ts'

const { columnNames, recordFromRow, rowFromRecord } = codecs.consents

type Consents = Pick<
  Store,
  | 'createConsent'
  | 'findConsent'
  | 'findConsentByLink'
  | 'startConsent'
  | 'takeConsentByState'
  | 'finishConsent'
  | 'pruneConsents'
>

/** The table of consents. Link and state are used up by the very statement that finds them. */
export function createConsents(database: Database, { read, write, erase }: Transactions): Consents {
  const table = prepareStatements(database)
  return {
    createConsent: consent =>
      write(() => {
        table.insert.run(recordFromRow(consent))
      }),
    findConsent: id => read(() => table.find.all(id).map(rowFromRecord)[0]),
    findConsentByLink: linkHash => read(() => table.findByLink.all(linkHash).map(rowFromRecord)[0]),
    startConsent: (linkHash, start) =>
      write(() => table.start.all({ linkHash, ...startParameters(start) }).map(rowFromRecord)[0]),
    takeConsentByState: stateHash => write(() => table.take.all(stateHash).map(rowFromRecord)[0]),
    finishConsent: (id, outcome) =>
      erase(() => {
        table.finish.run({ id, ...outcomeParameters(outcome) })
      }),
    pruneConsents: createdBefore =>
      erase(() => {
        table.prune.run(createdBefore)
      }),
  }
}

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
    finish: database.prepare<[SqlRecord]>(
      `UPDATE consents SET state = @state, finished_at = @finishedAt, error_reason = @errorReason,
         error_message = @errorMessage, error_provider_code = @errorProviderCode,
         state_hash = NULL, sealed_verifier = NULL
       WHERE id = @id AND state IN ('PENDING', 'HELD')`,
    ),
    prune: database.prepare<[number]>('DELETE FROM consents WHERE created_at < ?'),
  }
}

function startParameters({ sealedVerifier, ...start }: ConsentStart): SqlRecord {
  return { ...start, sealedVerifier: sealedVerifier ?? null }
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
