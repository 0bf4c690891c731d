/** What one HTTP listener puts up with. Times are milliseconds. */
export interface HttpLimits {
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  readonly checkIntervalMs: number
  readonly connectionsMax: number
  readonly headBytesMax: number
  readonly urlBytesMax: number
  readonly bodyBytesMax: number
  readonly callbackParametersMax: number
  readonly requestsPerMinuteMax: number
}

/** The limits of both listeners; tests inject smaller ones. */
export const HTTP_LIMITS: HttpLimits = Object.freeze({
  // A browser sends its headers at once; Node's 60 s would let slow senders pile up. TLS handshakes get as long.
  headersTimeoutMs: 5_000,
  // The only bodies are empty forms, so a whole request takes hardly longer than its headers. Node's default is 300 s.
  // With the interval below, and on a busy machine, nobody holds a socket for more than 10 s.
  requestTimeoutMs: 8_000,
  // Pages are a few clicks apart; holding idle connections longer only feeds the connection limit.
  keepAliveTimeoutMs: 5_000,
  // How late the two deadlines above may strike. Node's 30 s would make them meaningless.
  checkIntervalMs: 1_000,
  // Far more than people who consent at the same moment, few enough to bound memory.
  connectionsMax: 256,
  // Node's own default, stated so that it cannot drift: the request line and every header together.
  headBytesMax: 16 * 1024,
  // Authorization codes reach 2 KiB and errors carry a sentence; twice that with room, and within the head.
  urlBytesMax: 8 * 1024,
  // The form has no fields; anything larger was not sent by one of our pages.
  bodyBytesMax: 16 * 1024,
  // Providers send up to a dozen parameters beside `code` and `state`.
  callbackParametersMax: 64,
  // One consent takes three requests. A whole office behind one address fits; a flood does not reach the store.
  requestsPerMinuteMax: 300,
})
