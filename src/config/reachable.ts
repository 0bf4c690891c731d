import { isLoopback } from '../loopback.ts'
import type { Report } from './problem.ts'
import type { WrittenConfig } from './schema.ts'

type Reach = Pick<WrittenConfig, 'listen' | 'callers' | 'operator_token'>
type WrittenGrpcListener = WrittenConfig['listen']['grpc'][number]

/**
 * Checks that what is reached from outside is there for somebody: a broker for other machines that nobody on
 * them may call is a mistake, and one that only the operator's token opens soon has it lying everywhere. Asked at
 * the start only: while the broker runs, taking the last right is how a caller whose credential leaked is shut out.
 */
export function checkReach(written: Reach, report: Report): void {
  const why = whyCallersAreNeeded(written)
  const isAllowed = written.callers.some(({ allow }) => allow.length > 0)
  if (why !== undefined && !isAllowed) {
    const what = written.callers.length === 0 ? 'is empty' : 'allows nobody anything'
    report(['callers'], `${what}, but ${why}; say who may call what`)
  }
  checkCertificates(written, report)
}

function whyCallersAreNeeded({ listen, operator_token: operatorToken }: Reach): string | undefined {
  const outside = listen.grpc.findIndex(isBeyondThisMachine)
  if (outside !== -1) return `other machines reach listen.grpc[${outside}]`
  return operatorToken === 'off' ? 'operator_token is off' : undefined
}

/** A proxy in front brings others to this machine. */
function isBeyondThisMachine({ address, tls }: WrittenGrpcListener): boolean {
  return address !== undefined && (tls === 'proxy' || !isLoopback(address.host))
}

/** Checks that who is known by a certificate is asked for it somewhere. */
export function checkCertificates(
  { listen, callers }: Pick<WrittenConfig, 'listen' | 'callers'>,
  report: Report,
): void {
  const asks = listen.grpc.some(({ tls }) => typeof tls === 'object' && tls.client_ca !== undefined)
  const index = callers.findIndex(({ spiffe, dns }) => (spiffe ?? dns) !== undefined)
  if (asks || index === -1) return
  const key = callers[index]?.spiffe === undefined ? 'dns' : 'spiffe'
  report(
    ['callers', index, key],
    'no listener asks for certificates; add client_ca to the tls of one in listen.grpc',
  )
}
