import { describe, expect, it } from 'vitest'
import type { ConsentFailure } from '../../../src/broker/consent/flow.ts'
import { confirmPage } from '../../../src/http/pages/confirm-page.ts'
import { FAILURE_TEXTS } from '../../../src/http/pages/failure-texts.ts'
import type { Page } from '../../../src/http/pages/page.ts'
import { refusalPage } from '../../../src/http/pages/refusal-page.ts'
import { resultPage } from '../../../src/http/pages/result-page.ts'
import { connectedStatus, readyView } from '../fake-consent-flow.ts'

const HOSTILE = `<script>alert(1)</script>"'`
const reasons = Object.keys(FAILURE_TEXTS) as ConsentFailure[]

/** What a page says, without tags; white space as a browser shows it. */
function words({ text }: Pick<Page, 'text'>): string {
  return text
    .replace(/<style>.*<\/style>/s, '')
    .replace(/<[^>]+>/g, ' ')
    .replace(/\s+/g, ' ')
}

function failed(reason: ConsentFailure, changes = {}) {
  const error = { reason, message: 'the provider said no', providerCode: 'invalid_grant', ...changes }
  return resultPage({ kind: 'failed', provider: 'square-eu', account: 'shop-7', error })
}

describe('confirmPage()', () => {
  it('says which provider, account and scopes, where to, for whom, until when', () => {
    const said = words(
      confirmPage(readyView({ provider: 'square-eu', definition: 'square', account: 'shop-7' })),
    )
    for (const fact of [
      'square-eu',
      'Definition square',
      'shop-7',
      'ads:read',
      'user_accounts:read',
      'ads-sync',
    ])
      expect(said).toContain(fact)
    expect(said).toContain('Continue to www.pinterest.com')
    expect(said).toContain('21 November 2026 at 14:05 UTC')
  })

  it('carries a machine-readable time', () => {
    expect(confirmPage(readyView()).text).toContain('<time datetime="2026-11-21T14:05:00.000Z">')
  })

  it('names the system-level credential', () => {
    expect(words(confirmPage(readyView({ account: '' })))).toContain('System-level credential')
  })

  it.each([
    ['Acme', '123', 'Acme (123) is connected now'],
    ['', '123', '123 is connected now'],
    ['Acme', '', 'Acme is connected now'],
    ['', '', 'An account is connected now'],
  ])('says that "%s" "%s" will be replaced', (providerAccountName, providerAccountId, expected) => {
    expect(words(confirmPage(readyView({ replaces: { providerAccountId, providerAccountName } })))).toContain(
      expected,
    )
  })

  it('says nothing of a replacement where nothing is connected', () => {
    expect(words(confirmPage(readyView()))).not.toContain('replaces')
  })

  it('says so when no scopes are asked for', () => {
    expect(words(confirmPage(readyView({ scopes: [] })))).toContain('No particular scopes')
  })
})

describe('resultPage() when connected', () => {
  it('says who approved, what was allowed, what is missing, and when it ends', () => {
    const said = words(resultPage({ kind: 'connected', status: connectedStatus() }))
    for (const fact of ['Acme Garden Tools', '549755885175', 'ads:read', 'What was not allowed', 'pins:read'])
      expect(said).toContain(fact)
    expect(said).toContain('Good until 21 December 2026 at 14:00 UTC Renewed by itself')
    expect(said).toContain('Lasts until 20 January 2027 at 14:00 UTC Longer if pinterest extends it')
  })

  it('promises no renewal that is not planned, and no end that is not known', () => {
    const status = connectedStatus({
      nextRefreshAt: undefined,
      expiresAt: undefined,
      refreshExpiresAt: undefined,
    })
    const said = words(resultPage({ kind: 'connected', status }))
    expect(said).not.toMatch(/renewed/i)
    expect(said).toContain('Access token No end is known')
    expect(said).toContain('Lasts until somebody withdraws it')
  })

  it('says that somebody must approve again when the grant itself has an end', () => {
    const status = connectedStatus({ grantExpiresAt: Date.UTC(2027, 5, 1, 8, 30) })
    expect(words(resultPage({ kind: 'connected', status }))).toContain(
      'Lasts until 1 June 2027 at 08:30 UTC Somebody has to approve again by then',
    )
  })

  it('is silent about missing scopes where none are', () => {
    const status = connectedStatus({ missingScopes: [] })
    expect(words(resultPage({ kind: 'connected', status }))).not.toContain('not allowed')
  })
})

describe('resultPage() when failed', () => {
  it.each(reasons)('%s says what happened, what was kept and what to do', reason => {
    const page = failed(reason)
    const { title, what, kept, next, status } = FAILURE_TEXTS[reason]
    expect(page.status).toBe(status)
    for (const sentence of [title, what.replaceAll('{provider}', 'square-eu'), kept, next])
      expect(words(page)).toContain(sentence)
    expect(words(page)).toContain(`Reason ${reason}`)
    expect(words(page)).toContain('Provider’s code invalid_grant')
    expect(words(page)).not.toContain('{provider}')
  })

  it('has a text of its own for every reason', () => {
    expect(new Set(reasons.map(reason => FAILURE_TEXTS[reason].title)).size).toBe(reasons.length)
  })

  it('does not read patterns in a provider’s name', () => {
    const error = { reason: 'DENIED', message: '', providerCode: '' } as const
    const page = resultPage({ kind: 'failed', provider: '$&$1', account: '', error })
    expect(page.text).toContain('declined at $&amp;$1.')
  })

  it.each([
    ['unknown', 400, 'already used'],
    ['foreign_browser', 403, 'another browser'],
    ['expired', 410, 'after the time'],
  ] as const)('%s has a page of its own', (kind, status, said) => {
    const page = resultPage({ kind })
    expect(page.status).toBe(status)
    expect(words(page)).toContain(said)
    expect(words(page)).toContain('Nothing was changed')
  })
})

describe('refusalPage()', () => {
  it.each([418, 499, 599])('has words for a status that nobody thought of: %i', status => {
    expect(words(refusalPage(status))).toContain(`Status ${status}`)
  })
})

const every: readonly [title: string, page: Page][] = [
  ['confirm', confirmPage(readyView())],
  ['connected', resultPage({ kind: 'connected', status: connectedStatus() })],
  ...reasons.map((reason): [string, Page] => [reason, failed(reason)]),
  ['unknown', resultPage({ kind: 'unknown' })],
  ['dead link', confirmPage({ kind: 'used' })],
  ['refusal', { status: 404, ...refusalPage(404) }],
]

describe('every page', () => {
  it.each(every)('can be used without sight, on a phone and in the dark: %s', (_, { text }) => {
    expect(text).toMatch(/^<!doctype html>\n<html lang="en">/)
    expect(text).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">')
    expect(text.match(/<h1>/g)).toHaveLength(1)
    expect(text.match(/<main /g)).toHaveLength(1)
    const [title, heading] = [text.match(/<title>(.+) · Token broker</)?.[1], text.match(/<h1>(.+)</)?.[1]]
    expect(title).toBe(heading)
  })
})

describe('hostile names', () => {
  const hostile = {
    provider: HOSTILE,
    account: HOSTILE,
    providerAccountId: HOSTILE,
    providerAccountName: HOSTILE,
  }
  it.each([
    [
      'what a link would connect',
      confirmPage(
        readyView({
          ...hostile,
          definition: HOSTILE,
          host: HOSTILE,
          scopes: [HOSTILE],
          createdBy: HOSTILE,
          replaces: hostile,
        }),
      ),
    ],
    [
      'what was connected',
      resultPage({
        kind: 'connected',
        status: connectedStatus({ ...hostile, grantedScopes: [HOSTILE], missingScopes: [HOSTILE] }),
      }),
    ],
    [
      'what failed',
      resultPage({
        kind: 'failed',
        ...hostile,
        error: { reason: 'PROVIDER_ERROR', message: HOSTILE, providerCode: HOSTILE },
      }),
    ],
  ])('are shown as they are in %s', (_, { text }) => {
    expect(text).not.toContain('<script')
    expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;')
  })
})
