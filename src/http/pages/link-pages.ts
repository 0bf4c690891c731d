import { html } from './html.ts'
import { type Page, page } from './page.ts'

/** Why a consent link leads nowhere. */
export type DeadLink = 'used' | 'expired' | 'unknown'

interface DeadLinkText {
  readonly status: number
  readonly title: string
  readonly what: string
  readonly next: string
}

const TEXTS: Readonly<Record<DeadLink, DeadLinkText>> = {
  used: {
    status: 410,
    title: 'This link was already used',
    what: 'A consent link works once, and somebody has started with this one.',
    next: 'If that was you, go on in the window at the provider, or look there for the result. Otherwise ask whoever sent the link for a new one.',
  },
  expired: {
    status: 410,
    title: 'This link has expired',
    what: 'Consent links live only for a short time, and the time of this one is over.',
    next: 'Ask whoever sent it for a new link.',
  },
  unknown: {
    status: 404,
    title: 'This link is not known',
    what: 'Either it was not copied whole, or it is too old to be remembered.',
    next: 'Open it again from where you got it. If that does not help, ask whoever sent it for a new one.',
  },
}

/** A link that cannot be used, or not any more. */
export function deadLinkPage(kind: DeadLink): Page {
  const { status, title, what, next } = TEXTS[kind]
  return page({
    status,
    tone: 'warn',
    title,
    body: html`
<p class="lead" role="alert">${what}</p>
<p>Opening it changed nothing.</p>
<p>${next}</p>`,
  })
}

/**
 * The form was not sent by our own page as the browser sees it.
 *
 * @param publicOrigin where the page ought to have been opened
 */
export function foreignFormPage(publicOrigin: string): Page {
  return page({
    status: 403,
    tone: 'bad',
    title: 'This did not come from our page',
    body: html`
<p class="lead" role="alert">A consent starts only from the page that the link opens at <strong>${publicOrigin}</strong>.</p>
<p>Nothing was changed, and the link was not used up.</p>
<p>Open the link again exactly as you got it, and continue from there.</p>`,
  })
}
