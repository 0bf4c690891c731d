import type { ConsentView } from '../../broker/consent/flow.ts'
import { type Html, html, verbatim } from './html.ts'
import { deadLinkPage } from './link-pages.ts'
import { accountName, chips, facts, type Page, page, time } from './page.ts'

type ReadyView = Extract<ConsentView, { kind: 'ready' }>

/**
 * A form's `Origin` is `null` under the constant `no-referrer`; this page alone tells our own origin where its
 * form comes from, for browsers that send no `Sec-Fetch-Site`. To others it still says nothing.
 */
const REFERRER_TO_OURSELVES = verbatim('<meta name="referrer" content="same-origin">\n')

/** What a consent link would connect, and the button that starts it. */
export function confirmPage(view: ConsentView): Page {
  if (view.kind !== 'ready') return deadLinkPage(view.kind)
  const { provider, host, createdBy } = view
  return page({
    status: 200,
    tone: 'neutral',
    title: `Connect ${provider}`,
    head: REFERRER_TO_OURSELVES,
    body: html`
<p class="lead"><strong>${createdBy}</strong> asks you to give this service lasting access to an account at <strong>${host}</strong>.</p>
<p>Continue only if you expected this request. Nothing happens until you do.</p>
${viewFacts(view)}
${scopeSection(view)}
${view.replaces && replacementNotice(view.replaces)}
${view.returnHost !== undefined && returnNotice(view.returnHost)}
<form method="post">
<button class="button" type="submit">Continue to ${host}</button>
</form>
<p class="muted">At the provider you sign in and decide what to allow. This link works once.</p>`,
  })
}

function viewFacts({ provider, definition, account, expiresAt }: ReadyView): Html {
  const spoken = definition !== provider && html` <span class="muted">Definition ${definition}</span>`
  return facts([
    ['Provider', [provider, spoken]],
    ['Account', accountName(account)],
    ['Link valid until', time(expiresAt)],
  ])
}

function scopeSection({ scopes }: ReadyView): Html {
  const list =
    scopes.length > 0
      ? chips(scopes)
      : html`<p class="muted">No particular scopes; the provider will say what it shares.</p>`
  return html`<section aria-labelledby="scopes"><h2 id="scopes">What is asked for</h2>${list}</section>`
}

/** Whoever was sent somebody else's link notices it here, or is stopped there. */
function returnNotice(host: string): Html {
  return html`<section class="notice" aria-labelledby="returns">
<h2 id="returns">You are brought back to ${host}</h2>
<p>The account is connected for the user who is signed in there. Continue only if that is you, and if you came from there.</p>
</section>`
}

function replacementNotice(replaced: NonNullable<ReadyView['replaces']>): Html {
  const { providerAccountName: name, providerAccountId: id } = replaced
  const account = name || id || 'An account'
  return html`<section class="notice" aria-labelledby="replaces">
<h2 id="replaces">This replaces a connection</h2>
<p><strong>${account}</strong>${name && id && ` (${id})`} is connected now. It keeps working until you have finished, and stays if you do not.</p>
</section>`
}
