/** The body of an answer. */
export interface Content {
  /** Media type with its charset. */
  readonly type: string
  readonly text: string
}

/** Ends a request with the page of a status instead of what was asked for. */
export class Refusal extends Error {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>

  constructor(statusCode: number, headers: Readonly<Record<string, string>> = {}) {
    super(`request refused with status ${statusCode}`)
    this.name = 'Refusal'
    this.statusCode = statusCode
    this.headers = headers
  }
}
