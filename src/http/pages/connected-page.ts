import type { ConnectionStatus } from '../../broker/broker.ts'
import { type Html, html } from './html.ts'
import { accountName, chips, facts, type Page, page, providerAccount, time } from './page.ts'

/** The consent is complete and its tokens are stored. */
export function connectedPage(status: ConnectionStatus): Page {
  const { provider, account, providerAccountId, providerAccountName, grantedScopes, missingScopes } = status
  const whose = providerAccountName === '' ? 'your account' : html`<strong>${providerAccountName}</strong>`
  return page({
    status: 200,
    tone: 'good',
    title: 'Connected',
    body: html`
<p class="lead" role="status">This service can now use ${whose} at <strong>${provider}</strong>. You can close this page.</p>
${facts([
  ['Provider', provider],
  ['Account', accountName(account)],
  ['Provider’s account', providerAccount(providerAccountId, providerAccountName)],
  ['Access token', tokenEnd(status)],
  ['Approval', approvalEnd(status)],
])}
${grantedSection(grantedScopes)}
${missingScopes.length > 0 && missingNotice(missingScopes)}`,
  })
}

function tokenEnd({ expiresAt, nextRefreshAt }: ConnectionStatus): Html {
  const end = expiresAt === undefined ? html`No end is known` : html`Good until ${time(expiresAt)}`
  return html`${end}${nextRefreshAt !== undefined && html` <span class="muted">Renewed by itself before that</span>`}`
}

function approvalEnd({ provider, grantExpiresAt, refreshExpiresAt }: ConnectionStatus): Html {
  if (grantExpiresAt !== undefined)
    return html`Lasts until ${time(grantExpiresAt)} <span class="muted">Somebody has to approve again by then</span>`
  if (refreshExpiresAt !== undefined)
    return html`Lasts until ${time(refreshExpiresAt)} <span class="muted">Longer if ${provider} extends it at renewals</span>`
  return html`Lasts until somebody withdraws it <span class="muted">No end is known</span>`
}

function grantedSection(scopes: readonly string[]): Html {
  const list = scopes.length > 0 ? chips(scopes) : html`<p class="muted">The provider did not say.</p>`
  return html`<section aria-labelledby="granted"><h2 id="granted">What was allowed</h2>${list}</section>`
}

function missingNotice(scopes: readonly string[]): Html {
  return html`<section class="notice" aria-labelledby="missing">
<h2 id="missing">What was not allowed</h2>
${chips(scopes)}
<p>Programs that need one of these are refused; all others work. To add them, ask for a new link and leave every permission switched on.</p>
</section>`
}
