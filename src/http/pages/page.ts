import type { ConsentError } from '../../broker/consent/flow.ts'
import type { Secret } from '../../secret.ts'
import { type Child, type Html, html, markup, verbatim } from './html.ts'
import { STYLESHEET } from './stylesheet.ts'

/** A complete answer for a browser. */
export interface Page {
  readonly status: number
  /** A whole HTML document. */
  readonly text: string
  /** Where the browser goes on at once. Default: nowhere. */
  readonly location?: Secret
}

/** What a page feels like; decides its icon and its colour, never the only way that something is said. */
type Tone = 'neutral' | 'good' | 'warn' | 'bad'

/** What the frame of every page needs. */
export interface PageParts {
  readonly status: number
  readonly tone: Tone
  /** The document's title and its only first heading. */
  readonly title: string
  /** Further elements of the head. */
  readonly head?: Html
  readonly body: Child
}

const ICONS: Readonly<Record<Tone, Html>> = {
  neutral: html`<path d="M10 14a4 4 0 0 0 6 .4l3-3a4.2 4.2 0 0 0-6-6l-1.5 1.5M14 10a4 4 0 0 0-6-.4l-3 3a4.2 4.2 0 0 0 6 6l1.5-1.5"/>`,
  good: html`<path d="m5 12.5 4.5 4.5L19 7.5"/>`,
  warn: html`<path d="M12 7v6M12 17v.01"/>`,
  bad: html`<path d="m7 7 10 10M17 7 7 17"/>`,
}

/** Puts a body into the frame that all pages share. */
export function page({ status, tone, title, head, body }: PageParts): Page {
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Token broker</title>
${head}<style>${verbatim(STYLESHEET)}</style>
</head>
<body>
<main class="${tone}">
<div class="badge" aria-hidden="true"><svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.25" stroke-linecap="round" stroke-linejoin="round">${ICONS[tone]}</svg></div>
<h1>${title}</h1>
${body}
</main>
<footer>Token broker</footer>
</body>
</html>
`
  return { status, text: markup(document) }
}

/** A list of names and values; entries without a value are left out. */
export function facts(entries: readonly (readonly [name: string, value: Child])[]): Html {
  const rows = entries.filter(([, value]) => value !== undefined)
  return html`<dl>${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`
}

/** Scopes, each one as the provider spells it. */
export function chips(scopes: readonly string[]): Html {
  return html`<ul class="chips">${scopes.map(scope => html`<li>${scope}</li>`)}</ul>`
}

/** The connection's account in words; `""` is the system-level credential. */
export function accountName(account: string): Html {
  return account === ''
    ? html`The whole company <span class="muted">System-level credential, shared by all</span>`
    : html`${account}`
}

/** The provider's own account: its name and its id, where they are known and differ; undefined if neither is. */
export function providerAccount(id: string, name: string): Html | undefined {
  if (name === '' && id === '') return undefined
  if (name === '' || id === '' || name === id) return html`${name || id}`
  return html`${name} <span class="muted">${id}</span>`
}

/** What whoever runs the broker needs to know about a failure, folded away from everybody else. */
export function errorDetails({ reason, providerCode, message }: ConsentError): Html {
  const rows = facts([
    ['Reason', html`<code>${reason}</code>`],
    ['Provider’s code', providerCode === '' ? undefined : html`<code>${providerCode}</code>`],
    ['Explanation', message === '' ? undefined : message],
  ])
  return html`<details><summary>Details for whoever runs this service</summary>${rows}</details>`
}

const FORMAT = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' })

/** A point in time for people (in UTC, because we do not know where they are) and for machines. */
export function time(epochMs: number): Html {
  const date = new Date(epochMs)
  return html`<time datetime="${date.toISOString()}">${FORMAT.format(date)} UTC</time>`
}
