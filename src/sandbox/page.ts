import { createHash } from 'node:crypto'

const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --ground: #f6f7f9; --sheet: #fff;
  --line: #d0d7de; --accent: #0b57d0; --on-accent: #fff; --note: #fff8db; --note-line: #b08800 }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #a3adb8; --ground: #101418; --sheet: #1a2026;
  --line: #3d4650; --accent: #8ab4f8; --on-accent: #0b1a33; --note: #332b0b; --note-line: #d9a900 } }
* { box-sizing: border-box }
body { margin: 0; padding: 1rem; background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 34rem; margin: 1rem auto; padding: 1.5rem; background: var(--sheet); border: 1px solid var(--line);
  border-radius: .75rem; overflow-wrap: anywhere }
h1 { margin: 0 0 1rem; font-size: 1.4rem; line-height: 1.25 }
.note { margin: 0 0 1.25rem; padding: .6rem .9rem; background: var(--note); border-left: .3rem solid var(--note-line) }
.soft { color: var(--soft) }
fieldset { margin: 0 0 1.25rem; padding: .25rem 1rem .5rem; border: 1px solid var(--line); border-radius: .5rem }
legend { padding: 0 .4rem; font-weight: 600 }
label { display: flex; gap: .75rem; align-items: center; min-height: 2.75rem; cursor: pointer }
input { flex: none; width: 1.25rem; height: 1.25rem; margin: 0; accent-color: var(--accent) }
.actions { display: flex; flex-wrap: wrap; gap: .75rem }
button { flex: 1 1 8rem; min-height: 2.75rem; padding: 0 1.25rem; border: 1px solid var(--accent); border-radius: .5rem;
  background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 600; cursor: pointer }
button.second { background: transparent; color: var(--accent) }
:focus-visible { outline: .2rem solid var(--accent); outline-offset: .15rem }
`

/**
 * Stands on every answer of the sandbox, pages or not.
 *
 * `form-action` names schemes and not `'self'`: Chromium applies it to the redirects that follow a form too,
 * and the consent form leads to a client whose origin is not known here.
 */
export const ANSWER_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'cache-control': 'no-store',
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
    'form-action http: https:',
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
})

/**
 * A whole page: no script, readable on a phone, in the dark, and by a screen reader.
 *
 * @param body HTML in which everything from outside is escaped already
 */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${body}
</main>
</body>
</html>
`
}

/** Says on the page of a mistake what to do about it. */
export function mistakePage(message: string): string {
  return page(
    'This request cannot be answered',
    `<p role="alert">${escapeHtml(message)}</p>
<p class="soft">This is the sandbox's consent page. Nothing was sent back to the client.</p>`,
  )
}

/** Makes text safe in HTML, also inside quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}
