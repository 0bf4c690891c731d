import type { Content } from '../refusal.ts'
import { html } from './html.ts'
import { page } from './page.ts'

type Text = readonly [title: string, next: string]

const TEXTS: Readonly<Record<number, Text>> = {
  400: ['This request cannot be read', 'Open the link again exactly as you got it.'],
  404: [
    'There is no such page',
    'Open the link again exactly as you got it. Consent links start with /connect/.',
  ],
  405: ['This page cannot be used like that', 'Open it in a browser, by following the link.'],
  408: [
    'This took too long',
    'The request did not arrive in time. Try again, perhaps from a better network.',
  ],
  413: ['This is too large', 'Open the link again and use the button on its page.'],
  414: ['This address is too long', 'Open the link again exactly as you got it.'],
  415: ['This form cannot be read', 'Open the link again and use the button on its page.'],
  417: ['This expectation cannot be met', 'Send the request without an Expect header.'],
  429: ['Too many requests', 'Wait a minute, then reload the page.'],
  431: [
    'The browser sent too much',
    'Delete the cookies of this site, or use a private window, and open the link again.',
  ],
  500: [
    'Something went wrong here',
    'Try again. If it happens again, tell whoever runs this service and when it happened.',
  ],
  503: ['This service is not available now', 'Wait a minute, then reload the page.'],
}
const REFUSED: Text = ['This request was refused', 'Open the link again exactly as you got it.']
const FAILED: Text = TEXTS[500] ?? REFUSED

/** The page of an HTTP error. It knows the status alone, so it can repeat nothing of the request. */
export function refusalPage(status: number): Content {
  const ours = status >= 500
  const [title, next] = TEXTS[status] ?? (ours ? FAILED : REFUSED)
  const { text } = page({
    status,
    tone: ours ? 'bad' : 'warn',
    title,
    body: html`
<p class="lead" role="alert">${next}</p>
<p class="muted">${ours ? 'What was connected before is unchanged.' : 'Nothing was changed.'} Status ${String(status)}.</p>`,
  })
  return { type: 'text/html; charset=utf-8', text }
}
