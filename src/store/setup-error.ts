/**
 * The store cannot be used as it stands or as it is set up. A person has to act; a retry does not help.
 *
 * - `newer_schema`: a newer release of the broker has written it
 * - `old_sqlite`: the SQLite library has a known way to corrupt a database
 * - `not_durable`: SQLite does not take a setting that durability or secrecy rests on
 * - `not_writable`: the data directory or a file in it cannot be created or written
 * - `not_private`: others may read a file, and its mode cannot be changed
 * - `network_filesystem`: file locks and memory maps are not reliable there
 * - `rolled_back`: the database is an older copy than the data directory has seen
 */
export class StoreSetupError extends Error {
  readonly reason:
    | 'newer_schema'
    | 'old_sqlite'
    | 'not_durable'
    | 'not_writable'
    | 'not_private'
    | 'network_filesystem'
    | 'rolled_back'

  constructor(reason: StoreSetupError['reason'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreSetupError'
    this.reason = reason
  }
}
