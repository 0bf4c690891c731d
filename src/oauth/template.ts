import { Secret } from '../secret.ts'

/** What placeholders stand for. */
export type Values = Readonly<Record<string, string | Secret | undefined>>

/** A placeholder has no value. The message names the placeholder. */
export class TemplateError extends Error {
  constructor(placeholder: string) {
    super(`the definition needs a value for {${placeholder}}, and there is none`)
    this.name = 'TemplateError'
  }
}

/** Replaces each `{name}` by its value. The result may hold a secret. */
export function fill(template: string, values: Values): Secret {
  return new Secret(fillText(template, values))
}

/** The same as bare text, for building a larger secret. */
export function fillText(template: string, values: Values): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined
    if (value === undefined) throw new TemplateError(name)
    return value instanceof Secret ? value.expose() : value
  })
}

/** Whether a template mentions a placeholder. */
export function mentions(templates: readonly unknown[], name: string): boolean {
  return templates.some(template => typeof template === 'string' && template.includes(`{${name}}`))
}
