import type { ConsentResult } from '../../broker/consent/flow.ts'
import { html } from './html.ts'
import { type Page, page } from './page.ts'

/**
 * Sends the browser on to the asking service. 303, so that nothing that was posted is posted again (RFC 9700 section
 * 4.12). The address carries a receipt and stands in no page, where an extension or a screenshot would keep it.
 */
export function returnPage({ url, host }: Extract<ConsentResult, { kind: 'returned' }>): Page {
  const { status, text } = page({
    status: 303,
    tone: 'neutral',
    title: `Taking you back to ${host}`,
    body: html`
<p class="lead" role="status">You are taken back to <strong>${host}</strong>, where this goes on.</p>
<p class="muted">If nothing happens within a few seconds, open that site yourself and start anew.</p>`,
  })
  return { status, text, location: url }
}
