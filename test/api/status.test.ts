import { status } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'
import { deadlineStatus, reportFailure } from '../../src/api/status.ts'
import { BrokerError, type ErrorDetails, invalidRequest, type Reason } from '../../src/broker/errors.ts'
import { Status } from '../../src/gen/google/rpc/status.ts'
import { createRecordingLog, decodeFailure } from './running-server.ts'

const CODES: Record<Reason, status> = {
  CALLER_UNAUTHENTICATED: status.UNAUTHENTICATED,
  ACCESS_DENIED: status.PERMISSION_DENIED,
  INVALID_REQUEST: status.INVALID_ARGUMENT,
  PROVIDER_NOT_FOUND: status.NOT_FOUND,
  CONSENT_REQUIRED: status.FAILED_PRECONDITION,
  REAUTH_REQUIRED: status.FAILED_PRECONDITION,
  SCOPE_NOT_GRANTED: status.FAILED_PRECONDITION,
  MIN_TTL_UNREACHABLE: status.FAILED_PRECONDITION,
  STATIC_TOKEN_REJECTED: status.FAILED_PRECONDITION,
  NO_REFRESH_TOKEN: status.FAILED_PRECONDITION,
  NO_NEXT_ROOT_KEY: status.FAILED_PRECONDITION,
  CONSENT_NOT_FOUND: status.NOT_FOUND,
  CONNECTION_EXISTS: status.ALREADY_EXISTS,
  PROVIDER_MISCONFIGURED: status.FAILED_PRECONDITION,
  CONNECTION_MISCONFIGURED: status.FAILED_PRECONDITION,
  PROVIDER_UNAVAILABLE: status.UNAVAILABLE,
  BROKER_UNAVAILABLE: status.UNAVAILABLE,
  RATE_LIMITED: status.RESOURCE_EXHAUSTED,
  UNREADABLE: status.DATA_LOSS,
  NOT_IMPLEMENTED: status.UNIMPLEMENTED,
}
const RETRYABLE = new Set(['PROVIDER_UNAVAILABLE', 'BROKER_UNAVAILABLE', 'RATE_LIMITED'])
/** What grpc-java and C-core accept of all headers together. */
const CLIENT_HEADER_BYTES_MAX = 8 * 1024

function report(error: unknown) {
  return decodeFailure(reportFailure(error, createRecordingLog(), {}) as Parameters<typeof decodeFailure>[0])
}

function reportReason(reason: Reason, details?: ErrorDetails, message = 'what happened; what to do') {
  return report(new BrokerError(reason, message, details))
}

function headerBytes(error: unknown): number {
  const { details, metadata } = reportFailure(error, createRecordingLog(), {})
  const [value = ''] = metadata.get('grpc-status-details-bin')
  return encodeURI(details).length + Buffer.from(value).toString('base64').length
}

describe('reportFailure()', () => {
  it.each(Object.entries(CODES))('of %s', (reason, code) => {
    const failure = reportReason(reason as Reason)
    expect(failure).toMatchObject({
      code,
      reason,
      domain: 'tokenbroker',
      message: 'what happened; what to do',
    })
    expect(failure.retryMs !== undefined).toBe(RETRYABLE.has(reason))
    expect(Status.decode(failure.bytes)).toMatchObject({ code, message: failure.message })
  })

  it.each([
    ['as stated', 90_500, 90_500],
    ['rounded up', 0.2, 1],
    ['never in the past', -5, 0],
    ['a second if unstated', undefined, 1_000],
  ])('tells when to retry, %s', (_, retryAfterMs, expected) => {
    expect(reportReason('PROVIDER_UNAVAILABLE', { retryAfterMs }).retryMs).toBe(expected)
  })

  it('carries metadata, violations and help', () => {
    const failure = reportReason('SCOPE_NOT_GRANTED', {
      metadata: { scopes: 'ads:write' },
      help: 'connect again with these scopes',
      violations: [{ field: 'required_scopes', description: 'not granted' }],
    })
    expect(failure.metadata).toEqual({ scopes: 'ads:write' })
    expect(failure.help).toEqual([{ description: 'connect again with these scopes', url: '' }])
    expect(failure.violations).toEqual({ required_scopes: 'not granted' })
  })

  it('of an invalid request names every field', () => {
    const violations = [
      { field: 'provider', description: 'must be set' },
      { field: 'account', description: 'too long' },
    ]
    expect(report(invalidRequest(violations)).violations).toEqual({
      provider: 'must be set',
      account: 'too long',
    })
  })

  it('of a defect tells nobody but the log', () => {
    const log = createRecordingLog()
    const defect = new TypeError('canary: undefined is not a token')
    const answered = reportFailure(defect, log, { method: '/x/Y' })
    expect(answered.code).toBe(status.INTERNAL)
    expect(JSON.stringify(answered) + decodeFailure(answered).bytes).not.toContain('canary')
    expect(decodeFailure(answered).reason).toBe('INTERNAL')
    expect(log.lines).toEqual([
      { level: 'error', message: expect.any(String), fields: { method: '/x/Y', error: defect } },
    ])
  })

  it('never sends the cause of a refusal', () => {
    const cause = new Error('canary')
    expect(String(reportReason('PROVIDER_UNAVAILABLE', { cause }).bytes)).not.toContain('canary')
  })

  it.each([
    ['a long message', {}, 'long '.repeat(10_000)],
    [
      'many facts',
      { metadata: Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`key${i}`, 'v'])) },
      'm',
    ],
    ['a long fact', { metadata: { scopes: 'ä'.repeat(100_000) } }, 'm'],
    ['a long name of a fact', { metadata: { ['k'.repeat(100_000)]: 'v' } }, 'm'],
    ['long help', { help: 'help '.repeat(10_000) }, 'm'],
    [
      'many violations',
      {
        violations: Array.from({ length: 1_000 }, () => ({
          field: 'f'.repeat(999),
          description: 'ä'.repeat(999),
        })),
      },
      'm',
    ],
  ])('fits into the headers that clients accept: %s', (_, details, message) => {
    const error = new BrokerError('SCOPE_NOT_GRANTED', message, details)
    expect(headerBytes(error)).toBeLessThan(CLIENT_HEADER_BYTES_MAX)
    expect(report(error).reason).toBe('SCOPE_NOT_GRANTED')
  })

  it('of a message with half a surrogate pair can be sent', () => {
    expect(encodeURI(report(new BrokerError('UNREADABLE', 'a\ud800b')).message)).toBe('a%EF%BF%BDb')
    const cutInHalf = `${'x'.repeat(498)}😀😀`
    expect(() => encodeURI(report(new BrokerError('UNREADABLE', cutInHalf)).message)).not.toThrow()
  })
})

describe('deadlineStatus()', () => {
  it('names the limit', () => {
    const failure = decodeFailure(deadlineStatus(30_000))
    expect(failure).toMatchObject({ code: status.DEADLINE_EXCEEDED, reason: 'DEADLINE_EXCEEDED' })
    expect(failure.message).toContain('30 s')
  })
})
