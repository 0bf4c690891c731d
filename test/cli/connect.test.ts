import { status as grpcStatus } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { POLL_FAILURES_MAX } from '../../src/cli/await-consent.ts'
import { Consent, ConsentState, type CreateConsentLinkRequest } from '../../src/gen/tokenbroker/v1/admin.ts'
import { type FakeBroker, refusal, startFakeBroker } from './fake-server.ts'
import { minutesFromNow, statusOf } from './messages.ts'
import { type CliSetting, runCli } from './run-cli.ts'

const URL = 'http://localhost:8085/connect/one-time-link'

let broker: FakeBroker | undefined
afterEach(() => {
  broker?.close()
  broker = undefined
})

type Step = Parameters<typeof Consent.fromPartial>[0] | Error | object

/** Lets GetConsent answer one step after the other, the last one for ever; an error is thrown. */
async function run(argv: readonly string[], steps: readonly Step[], setting: CliSetting = {}) {
  const requests: CreateConsentLinkRequest[] = []
  let asked = 0
  broker = await startFakeBroker({
    createConsentLink: request => {
      requests.push(request)
      return { url: URL, consentId: 'consent-1', expireTime: minutesFromNow(10) }
    },
    getConsent: ({ consentId }) => {
      const step = steps[Math.min(asked++, steps.length - 1)] ?? {}
      if ('code' in step) throw step
      return { consent: Consent.fromPartial({ consentId, provider: 'pinterest', ...step }) }
    },
  })
  const result = await runCli(['connect', 'pinterest', ...argv], { broker, ...setting })
  return { ...result, requests, asked }
}

const pending = { state: ConsentState.PENDING }
const completed = { state: ConsentState.COMPLETED, status: statusOf() }
const away = refusal(grpcStatus.UNAVAILABLE, 'BROKER_UNAVAILABLE', 'the broker is starting')

describe('connect', () => {
  it('exits 1 if consent is denied, with the provider’s code', async () => {
    const error = { reason: 'DENIED', message: 'jane said no', providerCode: 'access_denied' }
    const result = await run([], [pending, { state: ConsentState.DENIED, error }])
    expect(result.exitCode).toBe(1)
    expect(result.stdout).toContain('Consent was denied.\njane said no (DENIED) [access_denied]\n')
  })

  it('exits 1 if the consent failed, and says that nothing has changed', async () => {
    const error = { reason: 'ACCOUNT_CHANGED', message: 'another account', providerCode: '' }
    const result = await run([], [{ state: ConsentState.FAILED, error }])
    expect(result.exitCode).toBe(1)
    expect(result.stdout).toContain(
      'the connection is as it was before.\nanother account (ACCOUNT_CHANGED)\n',
    )
  })

  it('exits 1 if the link expires', async () => {
    const result = await run([], [pending, { state: ConsentState.EXPIRED }])
    expect(result.exitCode).toBe(1)
    expect(result.stdout).toContain('Nobody finished the consent in time.\nRepeat the command')
  })

  it('stops after --timeout, and says that the link stays valid', async () => {
    const result = await run(['--timeout', '2m'], [pending])
    expect(result.exitCode).toBe(1)
    expect(result.asked).toBe(121)
    expect(result.stdout).toContain('Stopped waiting without an outcome.')
    expect(result.stdout).toContain('The link stays valid and ends in 8 min (2026-11-20T12:10:00Z)')
  })

  it('stops at Ctrl-C, and says that the link stays valid', async () => {
    const result = await run([], [pending], { interrupted: AbortSignal.abort() })
    expect(result).toMatchObject({ exitCode: 1, asked: 1 })
    expect(result.stdout).toContain('The link stays valid and ends in 10 min')
  })

  it('waits through a restart of the broker', async () => {
    const result = await run([], [pending, away, away, completed])
    expect(result).toMatchObject({ exitCode: 0, asked: 4, stderr: '' })
  })

  it('exits 69 if the broker stays away', async () => {
    const result = await run([], [away])
    expect(result).toMatchObject({ exitCode: 69, asked: POLL_FAILURES_MAX })
    expect(result.stderr).toContain('the broker is starting')
  })

  it('exits 1 at once if the consent is not known any more', async () => {
    const unknown = refusal(grpcStatus.NOT_FOUND, 'CONSENT_NOT_FOUND', 'no such consent')
    expect(await run([], [unknown])).toMatchObject({ exitCode: 1, asked: 1 })
  })

  it('shows the link, waits, and reports what was granted', async () => {
    const status = statusOf({ missingScopes: ['ads:write'], grantExpireTime: minutesFromNow(60 * 24 * 365) })
    const result = await run([], [pending, pending, { state: ConsentState.COMPLETED, status }])
    expect(result).toMatchObject({ exitCode: 0, stderr: '', asked: 3 })
    expect(result.stdout).toBe(
      [
        'Open this link in a browser to connect pinterest:',
        '',
        `  ${URL}`,
        '',
        'It works once and ends in 10 min (2026-11-20T12:10:00Z). Whoever has it can start this consent.',
        'No browser was opened: there is no display.',
        'Waiting for the outcome. Ctrl-C stops the waiting; the link stays valid.',
        '',
        'Connected pinterest as jane (1234).',
        '  Granted scopes        ads:read, boards:read',
        '  Missing scopes        ads:write',
        '  Access token expires  in 29 min (2026-11-20T12:30:00Z)',
        '  Grant ends            in 364 d (2027-11-20T12:00:00Z)',
        '',
      ].join('\n'),
    )
  })

  it('opens the link in the browser where there is a display', async () => {
    const opened: string[] = []
    const result = await run([], [completed], {
      env: { DISPLAY: ':0' },
      openBrowser: async url => {
        opened.push(url)
      },
    })
    expect(opened).toEqual([URL])
    expect(result.stdout).not.toContain('No browser')
  })

  it('opens none with --no-browser, and goes on if it cannot be started', async () => {
    const env = { DISPLAY: ':0' }
    expect((await run(['--no-browser'], [completed], { env })).stdout).not.toContain('browser was')
    broker?.close()
    const failing = await run([], [completed], { env })
    expect(failing.exitCode).toBe(0)
    expect(failing.stdout).toContain('No browser was opened: it could not be started.')
  })

  it('asks for what its options say', async () => {
    const argv = [
      '--account',
      'a',
      '--scope',
      'x',
      '--scope',
      'y',
      '--variable',
      'shop=s=1',
      '--variable',
      'r=eu',
    ]
    const { requests } = await run([...argv, '--allow-account-change'], [completed])
    expect(requests).toEqual([
      {
        provider: 'pinterest',
        account: 'a',
        scopes: ['x', 'y'],
        variables: { shop: 's=1', r: 'eu' },
        subject: '',
        returnId: '',
        allowAccountChange: true,
      },
    ])
  })

  it('with --json keeps stdout for one document and shows the link on stderr', async () => {
    const result = await run(['--json'], [pending, completed])
    expect(JSON.parse(result.stdout)).toMatchObject({
      url: URL,
      consentId: 'consent-1',
      state: 'COMPLETED',
      status: { state: 'ACTIVE', grantedScopes: ['ads:read', 'boards:read'] },
    })
    expect(result.stderr).toContain(URL)
  })

  it.each([
    ['--timeout', '0'],
    ['--timeout', '25h'],
    ['--variable', 'shop'],
  ])('refuses %s %s, exit 64', async (...argv) => {
    expect((await runCli(['connect', 'pinterest', ...argv])).exitCode).toBe(64)
  })
})
