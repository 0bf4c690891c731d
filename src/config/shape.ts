import { z } from 'zod'
import { Mistake } from './mistake.ts'
import type { ConfigPath } from './problem.ts'
import { type Issue, sentence } from './sentences.ts'
import { didYouMean } from './suggest.ts'

/** What is wrong with the value at a path. */
export interface Misfit {
  readonly path: ConfigPath
  readonly message: string
}

/** Checks data against a schema; every mistake is found, unknown keys and all. */
export function checkShape<S extends z.ZodType>(
  schema: S,
  data: unknown,
): { readonly value: z.output<S> } | { readonly misfits: readonly Misfit[] } {
  const parsed = schema.safeParse(data, { error: issue => sentence(issue as Issue) })
  if (parsed.success) return { value: parsed.data }
  return { misfits: misfits(parsed.error.issues, schema, issue => issue.message) }
}

/**
 * Translates what a schema found: one misfit per unknown key, and of a union the branch that was meant.
 *
 * @param word the sentence for an issue; its `path` is complete
 */
export function misfits(
  issues: readonly z.core.$ZodIssue[],
  schema: z.core.$ZodType,
  word: (issue: z.core.$ZodIssue) => string,
): Misfit[] {
  return issues.flatMap(issue => {
    if (issue.code === 'unrecognized_keys') {
      const known = keysAt(schema, issue.path)
      return issue.keys.map(key => ({ path: [...issue.path, key], message: unknownKey(key, known) }))
    }
    if (issue.code === 'invalid_key') return [{ path: issue.path, message: issue.issues[0]?.message ?? '' }]
    const branch = issue.code === 'invalid_union' ? meantBranch(issue.errors) : []
    if (branch.length === 0) return [{ path: issue.path, message: word(issue) }]
    const complete = branch.map(inner => ({ ...inner, path: [...issue.path, ...inner.path] }))
    return misfits(complete, schema, word)
  })
}

/** The first branch of a union that the value fits from outside; if none does, the first. */
function meantBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] {
  const fits = (branch: readonly z.core.$ZodIssue[]) =>
    !branch.some(issue => issue.path.length === 0 && /^invalid_(type|value)$/.test(issue.code))
  return branches.find(fits) ?? branches[0] ?? []
}

function unknownKey(key: string, known: readonly string[]): string {
  return `unknown key${didYouMean(key, known)}`
}

/** The keys that the schema knows at a path; none where it is not a map of fixed keys. */
function keysAt(schema: z.core.$ZodType, path: ConfigPath): string[] {
  const alternatives = unwrap(schema)
  const [step, ...rest] = path
  if (step === undefined) {
    return alternatives.flatMap(inner => (inner instanceof z.ZodObject ? Object.keys(inner.shape) : []))
  }
  return alternatives.flatMap(inner => {
    const child = childOf(inner, step)
    return child === undefined ? [] : keysAt(child, rest)
  })
}

function childOf(schema: z.core.$ZodType, step: PropertyKey): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodObject) return typeof step === 'string' ? schema.shape[step] : undefined
  if (schema instanceof z.ZodRecord) return schema.valueType
  return schema instanceof z.ZodArray ? schema.element : undefined
}

/** Takes off what is around a schema: defaults, optionality, transformations; a union is several. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(unwrap)
  if (schema instanceof z.ZodPipe) return unwrap(schema.in)
  const isWrapped =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault
  return isWrapped ? unwrap(schema.unwrap()) : [schema]
}

/** A key that is reserved and refused, so that nobody believes it has an effect. */
export const notYet = z.never({ error: 'not supported yet; remove it' }).optional()

/** For a rule between keys: an unknown key is said first, as it is probably what the rule misses. */
export const whenWellFormed = { when: ({ issues }: z.core.ParsePayload) => issues.length === 0 }

/** Text in a form of its own. `parse` throws {@link Mistake}. */
export function text<T>(parse: (written: string) => T) {
  return z.string().transform((written, context): T => {
    try {
      return parse(written)
    } catch (error) {
      if (!(error instanceof Mistake)) throw error
      context.issues.push({ code: 'custom', message: error.message, input: written })
      return z.NEVER
    }
  })
}
