import type { ConsentResult } from '../../broker/consent/flow.ts'
import { connectedPage } from './connected-page.ts'
import { FAILURE_TEXTS } from './failure-texts.ts'
import { html } from './html.ts'
import { accountName, errorDetails, facts, type Page, page } from './page.ts'
import { returnPage } from './return-page.ts'

type Failed = Extract<ConsentResult, { kind: 'failed' }>

/** How a consent ended, for the browser that came back. */
export function resultPage(result: ConsentResult): Page {
  switch (result.kind) {
    case 'returned':
      return returnPage(result)
    case 'connected':
      return connectedPage(result.status)
    case 'failed':
      return failedPage(result)
    case 'unknown':
      return unknownPage()
    case 'foreign_browser':
      return foreignBrowserPage()
    case 'expired':
      return expiredPage()
  }
}

function failedPage({ provider, account, error }: Failed): Page {
  const { status, title, what, kept, next } = FAILURE_TEXTS[error.reason]
  return page({
    status,
    // To decline is a choice and not a fault.
    tone: error.reason === 'DENIED' || error.reason === 'SUPERSEDED' ? 'warn' : 'bad',
    title,
    body: html`
<p class="lead" role="alert">${what.replaceAll('{provider}', () => provider)}</p>
<p>${kept}</p>
<p>${next}</p>
${facts([
  ['Provider', provider],
  ['Account', accountName(account)],
])}
${errorDetails(error)}`,
  })
}

function unknownPage(): Page {
  return page({
    status: 400,
    tone: 'warn',
    title: 'There is nothing to finish here',
    body: html`
<p class="lead" role="alert">This answer of a provider was already used, is too old, or does not belong to a consent of ours.</p>
<p>Nothing was changed. If you saw “Connected” before and reloaded or went back, all is well.</p>
<p>Otherwise ask whoever sent the link for a new one and start from there.</p>`,
  })
}

function foreignBrowserPage(): Page {
  return page({
    status: 403,
    tone: 'warn',
    title: 'Finish where you started',
    body: html`
<p class="lead" role="alert">This consent was started in another browser, another device or a private window, so it cannot finish in this one.</p>
<p>Nothing was changed, and the approval was not used: the consent can still finish there.</p>
<p>For safety it has ended. Ask for a new link, open it and approve in one and the same browser. If this is the browser in which you began, it did not keep our cookie: allow cookies for this site first.</p>`,
  })
}

function expiredPage(): Page {
  return page({
    status: 410,
    tone: 'warn',
    title: 'This took too long',
    body: html`
<p class="lead" role="alert">You came back after the time in which a consent must be finished, so the approval was not used.</p>
<p>Nothing was changed: what was connected before still works.</p>
<p>Ask whoever sent the link for a new one, and finish within a few minutes.</p>`,
  })
}
