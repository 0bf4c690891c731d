const MARKUP = Symbol('markup')

/** Text that is safe to send as HTML. Only this file can make it, so nothing unescaped passes for it. */
export interface Html {
  readonly [MARKUP]: string
}

/** What may stand in a template: everything but {@link Html} is escaped; `undefined` and `false` leave no trace. */
export type Child = Html | string | undefined | false | readonly Child[]

/** Builds HTML from a literal, escaping every value for text and for quoted attributes. Attributes must be quoted. */
export function html(literals: TemplateStringsArray, ...children: readonly Child[]): Html {
  return { [MARKUP]: literals.map((literal, i) => literal + markup(children[i])).join('') }
}

/** Takes a constant of the program as it is, such as a stylesheet. Never for anything that came from outside. */
export function verbatim(constant: string): Html {
  return { [MARKUP]: constant }
}

/** The text of a child as it goes over the wire. */
export function markup(child: Child): string {
  if (child === undefined || child === false) return ''
  if (typeof child === 'string') return escaped(child)
  return MARKUP in child ? child[MARKUP] : child.map(markup).join('')
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, character => ENTITIES[character] ?? '')
}
