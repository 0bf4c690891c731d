import type { z } from 'zod'
import { isData } from '../providers/merge.ts'
import { didYouMean } from './suggest.ts'

const NOUNS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a map of keys',
  record: 'a map of keys',
  array: 'a list',
  tuple: 'a list',
}

/** The part of a schema's issue that a sentence is made from. */
export type Issue = Pick<z.core.$ZodIssue, 'code'> & { readonly input?: unknown } & Readonly<
    Record<string, unknown>
  >

/**
 * Says in our words what is wrong with a value that does not fit its schema. Never quotes the value.
 *
 * @returns undefined where the schema has a sentence of its own
 */
export function sentence(issue: Issue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(String(issue.expected), issue.input)
    case 'invalid_value':
      return wrongValue(issue.values as readonly unknown[], issue.input)
    case 'too_small':
      return tooSmall(String(issue.origin), issue.minimum)
    case 'too_big':
      return tooBig(String(issue.origin), issue.maximum)
    case 'invalid_format':
      return wrongFormat(String(issue.format))
    default:
      return undefined
  }
}

function wrongType(expected: string, input: unknown): string {
  if (input === undefined) return 'is missing'
  if (input === null) return 'has no value; give it one or remove the key'
  const isUnquoted = expected === 'string' && !isData(input) && !Array.isArray(input)
  return `expected ${NOUNS[expected] ?? expected}${isUnquoted ? '; put the value in quotes' : ''}`
}

function wrongValue(values: readonly unknown[], input: unknown): string {
  const words = values.map(String)
  return `expected ${words.join(' or ')}${typeof input === 'string' ? didYouMean(input, words) : ''}`
}

function tooSmall(origin: string, minimum: unknown): string {
  if (origin === 'string') return minimum === 1 ? 'is empty' : `expected at least ${minimum} characters`
  return origin === 'array' ? `expected at least ${minimum} in the list` : `expected ${minimum} or more`
}

function tooBig(origin: string, maximum: unknown): string {
  if (origin === 'string') return `expected at most ${maximum} characters`
  return origin === 'array' ? `expected at most ${maximum} in the list` : `expected ${maximum} or less`
}

function wrongFormat(format: string): string | undefined {
  if (format === 'date') return 'expected a date such as 2026-01-31'
  if (format === 'url') return 'expected an absolute URL'
  return undefined
}
