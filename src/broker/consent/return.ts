import { Secret } from '../../secret.ts'
import type { ConsentRow } from '../../store/consent-rows.ts'
import type { ConsentError, ConsentResult } from './flow.ts'
import type { ConsentPorts } from './ports.ts'

/** What the asking service is told by way of the browser, beside the id of the consent. */
export type ReturnParameters = { readonly receipt: Secret } | { readonly error: ConsentError['reason'] }

/**
 * Sends the browser back to the service that asked, at the address that the configuration has under the link's
 * `return_id`: nothing that a browser sends has a say in where it goes.
 *
 * @returns undefined if the link has no `return_id`, or its address is not configured any more
 */
export function returnTo(
  { returnUrls }: Pick<ConsentPorts, 'returnUrls'>,
  consent: ConsentRow,
  parameters: ReturnParameters,
): Extract<ConsentResult, { kind: 'returned' }> | undefined {
  const address = returnUrls.get(consent.returnId)
  if (consent.returnId === '' || address === undefined) return undefined
  const url = new URL(address)
  url.searchParams.set('consent_id', consent.id)
  if ('receipt' in parameters) url.searchParams.set('receipt', parameters.receipt.expose())
  else url.searchParams.set('error', parameters.error)
  return { kind: 'returned', url: new Secret(url.href), host: url.host }
}
