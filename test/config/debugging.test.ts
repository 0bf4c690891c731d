import { describe, expect, it } from 'vitest'
import { findDebugSwitches } from '../../src/config/debugging.ts'

const namesOf = (env: Record<string, string>, execArgv: string[] = []) =>
  findDebugSwitches(env, execArgv).map(({ name }) => name)

describe('findDebugSwitches()', () => {
  it.each([
    ['GRPC_TRACE', 'all'],
    ['GRPC_NODE_TRACE', 'server'],
    ['GRPC_VERBOSITY', 'debug'],
    ['GRPC_NODE_VERBOSITY', 'DEBUG'],
    ['GRPC_NODE_DEBUG_SEND_ERROR_DETAILS', 'true'],
    ['NODE_DEBUG', 'http2'],
    ['NODE_DEBUG', 'undici'],
    ['NODE_DEBUG_NATIVE', 'tls'],
    ['NODE_TLS_REJECT_UNAUTHORIZED', '0'],
  ])('finds %s=%s', (name, value) => {
    expect(namesOf({ [name]: value })).toEqual([`${name}=${value}`])
  })

  it.each([
    '--inspect',
    '--inspect=0.0.0.0:9229',
    '--inspect-brk',
    '--inspect_brk',
    '--inspect-wait=9229',
    '--inspect-port=0',
    '--debug-port=0',
    '--tls-keylog=keys.log',
    '--trace-tls',
    '--trace-event-categories=node.http',
    '--heapsnapshot-signal=SIGUSR2',
    '--heapsnapshot-near-heap-limit=1',
    '--heap-prof',
    '--cpu-prof',
    '--cpu-prof-dir=profiles',
    '--prof',
    '--report-on-signal',
    '--report-uncaught-exception',
    '--abort-on-uncaught-exception',
  ])('finds %s', option => {
    expect(namesOf({}, [option])).toEqual([option])
    expect(namesOf({ NODE_OPTIONS: `--max-old-space-size=256 ${option}` })).toEqual([
      `${option} in NODE_OPTIONS`,
    ])
  })

  it('finds nothing in what is harmless', () => {
    const env = {
      GRPC_VERBOSITY: 'ERROR',
      GRPC_TRACE: '',
      NODE_DEBUG: '',
      NODE_TLS_REJECT_UNAUTHORIZED: '1',
      NODE_EXTRA_CA_CERTS: '/etc/ca.pem',
      NODE_OPTIONS: '--disable-proto=delete --disable-sigusr1 --max-old-space-size=256 --report-exclude-env',
      NODE_ENV: 'production',
    }
    expect(namesOf(env, ['--import', 'data:text/javascript,', '--enable-source-maps'])).toEqual([])
  })
})
