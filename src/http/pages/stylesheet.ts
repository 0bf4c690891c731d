/**
 * The one stylesheet of every page, sent inline and allowed by its hash.
 *
 * Text has a contrast of at least 4.5:1 on its ground in both schemes, borders of controls 3:1 (WCAG 2.2 AA).
 */
export const STYLESHEET = `
:root {
  color-scheme: light dark;
  --ground: #f3f4f7; --card: #fff; --line: #dfe3ea; --text: #181c25; --muted: #566072;
  --accent: #2b50c8; --on-accent: #fff; --accent-hover: #2242a8; --chip: #eef1f7;
  --good: #15703f; --good-ground: #e4f5eb; --warn: #8a5200; --warn-ground: #fdf3dd; --warn-line: #ecd6a2; --bad: #b3261e; --bad-ground: #fdebe9;
  --accent-ground: #e8edfc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1218; --card: #181c25; --line: #2d3442; --text: #e9ecf2; --muted: #a4aebf;
    --accent: #8fabff; --on-accent: #0d1430; --accent-hover: #acc1ff; --chip: #242a37;
    --good: #6fd79f; --good-ground: #15301f; --warn: #f2c26b; --warn-ground: #2e240f; --warn-line: #5c4718; --bad: #ff9f97; --bad-ground: #3a1a18;
    --accent-ground: #1f2947;
  }
}
*, ::before, ::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; min-height: 100dvh; padding: 2.5rem 1rem;
  display: flex; flex-direction: column; align-items: center; justify-content: safe center; gap: 1.25rem;
  background: var(--ground); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere;
}
main {
  width: 100%; max-width: 36rem; padding: 2.25rem 2.25rem 2rem;
  background: var(--card); border: 1px solid var(--line); border-radius: 1rem;
  box-shadow: 0 1px 2px rgb(16 24 40 / 6%), 0 12px 32px -12px rgb(16 24 40 / 16%);
}
footer { color: var(--muted); font-size: .8125rem; text-align: center; }
h1 { margin: 0 0 .5rem; font-size: 1.625rem; line-height: 1.25; letter-spacing: -.015em; text-wrap: balance; }
h2 { margin: 1.75rem 0 .5rem; font-size: .875rem; font-weight: 600; }
p { margin: 0 0 .75rem; text-wrap: pretty; }
.lead { font-size: 1.0625rem; }
.muted { color: var(--muted); font-size: .875rem; }
.badge {
  display: flex; align-items: center; justify-content: center;
  width: 3rem; height: 3rem; margin-bottom: 1.25rem; border-radius: 50%;
  color: var(--accent); background: var(--accent-ground);
}
.badge svg { width: 1.5rem; height: 1.5rem; }
.good .badge { color: var(--good); background: var(--good-ground); }
.warn .badge { color: var(--warn); background: var(--warn-ground); }
.bad .badge { color: var(--bad); background: var(--bad-ground); }
dl { margin: 1.5rem 0 0; border-top: 1px solid var(--line); }
dl > div {
  display: grid; grid-template-columns: 9rem 1fr; gap: 0 1rem;
  padding: .625rem 0; border-bottom: 1px solid var(--line);
}
dt { color: var(--muted); font-size: .9375rem; }
dd { margin: 0; font-size: .9375rem; }
dd .muted { display: block; }
time { white-space: nowrap; }
.chips { display: flex; flex-wrap: wrap; gap: .375rem; margin: 0; padding: 0; list-style: none; }
.chips li, code {
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .8125rem;
}
.chips li { padding: .1875rem .5625rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--chip); }
.notice {
  margin: 1.5rem 0 0; padding: .875rem 1rem; border-radius: .75rem;
  background: var(--warn-ground); border: 1px solid var(--warn-line);
}
.notice h2 { margin-top: 0; color: var(--warn); }
.notice p { font-size: .9375rem; }
.notice > :last-child { margin-bottom: 0; }
.notice .chips { margin-bottom: .75rem; }
.notice .chips li { background: var(--card); }
form, .action { margin: 1.75rem 0 1rem; }
.button {
  display: block; width: 100%; min-height: 3rem; padding: .75rem 1.25rem;
  border: 1px solid transparent; border-radius: .625rem;
  background: var(--accent); color: var(--on-accent);
  font: inherit; font-weight: 600; text-align: center; text-decoration: none; cursor: pointer;
}
.button:hover { background: var(--accent-hover); }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; border-radius: .25rem; }
.button:focus-visible { border-radius: .625rem; }
summary { margin-top: 1.25rem; color: var(--muted); font-size: .875rem; cursor: pointer; }
details dl { margin-top: .75rem; }
@media (max-width: 30rem) {
  body { padding: 0 0 1.5rem; justify-content: flex-start; background: var(--card); }
  main { padding: 2rem 1.25rem .5rem; border: 0; border-radius: 0; box-shadow: none; }
  dl > div { grid-template-columns: 1fr; }
}
`
