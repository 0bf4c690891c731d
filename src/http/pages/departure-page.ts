import type { ConsentDeparture, ConsentError } from '../../broker/consent/flow.ts'
import { html } from './html.ts'
import { deadLinkPage } from './link-pages.ts'
import { errorDetails, type Page, page } from './page.ts'

/** Sends the browser to the provider by itself, and by a button where it does not go by itself. */
export function departurePage(departure: ConsentDeparture): Page {
  if (departure.kind === 'unavailable') return unavailablePage(departure.error)
  if (departure.kind !== 'leave') return deadLinkPage(departure.kind)
  const { authorizationUrl, host } = departure
  const url = authorizationUrl.expose()
  return page({
    status: 200,
    tone: 'neutral',
    title: `Taking you to ${host}`,
    head: html`<meta http-equiv="refresh" content="0; url=${url}">\n`,
    body: html`
<p class="lead" role="status">Sign in there and decide what to allow. You will be brought back here afterwards.</p>
<p class="action"><a class="button" href="${url}">Continue to ${host}</a></p>
<p class="muted">Use the button if nothing happens within a few seconds.</p>`,
  })
}

function unavailablePage(error: ConsentError): Page {
  return page({
    status: 503,
    tone: 'bad',
    title: 'This consent cannot start now',
    body: html`
<p class="lead" role="alert">This service could not prepare the way to the provider.</p>
<p>Nothing was changed: what was connected before still works.</p>
<p>Open the link again in a few minutes. If it no longer works, ask whoever sent it for a new one.</p>
${errorDetails(error)}`,
  })
}
