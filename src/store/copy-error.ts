/**
 * A backup or a restore cannot be done. Nothing was changed; a person has to act.
 *
 * - `no_database`: there is none in the data directory
 * - `exists`: the file to be written is there already
 * - `unreadable`: the file to be read is not there, or cannot be read
 * - `damaged`: the copy is no whole database
 * - `not_writable`: the file cannot be written
 */
export class CopyError extends Error {
  readonly reason: 'no_database' | 'exists' | 'unreadable' | 'damaged' | 'not_writable'

  constructor(reason: CopyError['reason'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CopyError'
    this.reason = reason
  }
}
