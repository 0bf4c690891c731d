import type { Account } from './accounts.ts'
import { escapeHtml, page } from './page.ts'

/** Accounts that can be chosen on the page; a load test may have made more than anybody scrolls through. */
const CHOICES_MAX = 50

/** What the user is asked. */
export interface ConsentQuestion {
  /** What the provider is called. */
  readonly title: string
  readonly clientId: string
  /** Where the browser goes afterwards. */
  readonly redirectUri: string
  readonly scopes: readonly string[]
  readonly accounts: readonly Account[]
  /** Where the form is sent: a path. */
  readonly action: string
}

/** The page on which a user picks an account, unticks scopes, and allows or denies. */
export function consentPage(question: ConsentQuestion): string {
  const { title, clientId, redirectUri, action } = question
  return page(
    `Allow ${clientId} to use your account?`,
    `<p class="note"><strong>${escapeHtml(title)}</strong>: made-up accounts on this machine. Nothing here is real.</p>
<form method="post" action="${escapeHtml(action)}">
${accountChoices(question.accounts)}
${scopeChoices(question.scopes)}
<div class="actions">
<button type="submit" name="decision" value="allow">Allow</button>
<button type="submit" name="decision" value="deny" class="second">Deny</button>
</div>
</form>
<p class="soft">You go back to ${escapeHtml(new URL(redirectUri).host)}. Allowing without any permission denies.</p>`,
  )
}

function accountChoices(accounts: readonly Account[]): string {
  const choices = accounts.slice(0, CHOICES_MAX).map(({ id, name }, index) => {
    const checked = index === 0 ? ' checked' : ''
    return `<label><input type="radio" name="account" value="${escapeHtml(id)}"${checked}>
<span>${escapeHtml(name)} <span class="soft">${escapeHtml(id)}</span></span></label>`
  })
  return `<fieldset><legend>As whom?</legend>\n${choices.join('\n')}\n</fieldset>`
}

function scopeChoices(scopes: readonly string[]): string {
  const choices = scopes.map(
    scope =>
      `<label><input type="checkbox" name="scope" value="${escapeHtml(scope)}" checked> ${escapeHtml(scope)}</label>`,
  )
  return `<fieldset><legend>What for?</legend>\n${choices.join('\n')}\n</fieldset>`
}
