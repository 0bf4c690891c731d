import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
  visit,
} from 'yaml'
import type { ConfigPath } from './problem.ts'
import { YAML_MISTAKES } from './yaml-mistakes.ts'

/** How often aliases may multiply what they stand for; a few kilobytes could otherwise become gigabytes. */
const ALIAS_COUNT_MAX = 100

/** A line and a column, both from 1. */
interface Place {
  readonly line: number
  readonly column: number
}

/** A YAML text as plain data that remembers where everything stood. */
export interface YamlDocument {
  /** Undefined for a text without content, or with mistakes. */
  readonly data: unknown
  /** What is wrong with the text as YAML. */
  readonly mistakes: readonly (Place & { readonly message: string })[]
  /** Where the key or the list item at a path stands, or else the nearest one above it that exists. */
  placeOf(path: ConfigPath): Place
}

/** Reads YAML 1.2: no merge keys, no tags, no second document, no key twice. */
export function readYaml(text: string): YamlDocument {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
    uniqueKeys: true,
    strict: true,
    schema: 'core',
    version: '1.2',
    resolveKnownTags: false,
    logLevel: 'error',
  })
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const found = [...syntaxMistakes(document), ...structureMistakes(document)]
  const { data, mistakes } = found.length > 0 ? { data: undefined, mistakes: found } : toData(document)
  return {
    data,
    mistakes: mistakes.map(({ offset, message }) => ({ ...place(offset), message })),
    placeOf: path => place(offsetOf(document, path)),
  }
}

interface Found {
  readonly offset: number
  readonly message: string
}

/** Warnings count too: an unknown tag is one, and its value would silently be taken as text. */
function syntaxMistakes(document: Document.Parsed): Found[] {
  return [...document.errors, ...document.warnings].map(error => ({
    offset: error.pos[0],
    message: YAML_MISTAKES[error.code],
  }))
}

/** What is YAML, yet leads to data that cannot be checked: aliases of nothing or of themselves, `__proto__`. */
function structureMistakes(document: Document.Parsed): Found[] {
  const found: Found[] = []
  visit(document, {
    Alias(_, alias, ancestors) {
      const target = alias.resolve(document)
      const offset = alias.range?.[0] ?? 0
      if (target === undefined) found.push({ offset, message: 'no anchor above has this name' })
      else if (ancestors.includes(target)) found.push({ offset, message: 'this alias stands for itself' })
    },
    Pair(_, { key }) {
      if (!isScalar(key) || key.value !== '__proto__') return
      found.push({ offset: key.range?.[0] ?? 0, message: 'no key has this name' })
    },
  })
  return found
}

function toData(document: Document.Parsed): { data: unknown; mistakes: Found[] } {
  try {
    return { data: document.toJS({ maxAliasCount: ALIAS_COUNT_MAX }) ?? undefined, mistakes: [] }
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error
    return { data: undefined, mistakes: [{ offset: 0, message: 'aliases stand for too much; write it out' }] }
  }
}

function offsetOf(document: Document.Parsed, path: ConfigPath): number {
  let node: Node | null = document.contents
  let offset = startOf(node)
  for (const step of path) {
    const child = childOf(isAlias(node) ? node.resolve(document) : node, step)
    if (child === undefined) return offset
    offset = child.offset
    node = child.node
  }
  return offset
}

function childOf(node: Node | null | undefined, step: PropertyKey) {
  if (isMap<ParsedNode, ParsedNode | null>(node)) {
    const pair = node.items.find(({ key }) => isScalar(key) && key.value === step)
    return pair && { node: pair.value, offset: startOf(pair.key) }
  }
  if (isSeq<ParsedNode>(node) && typeof step === 'number') {
    const item = node.items[step]
    return item && { node: item, offset: startOf(item) }
  }
  return undefined
}

function startOf(node: Node | null): number {
  return node?.range?.[0] ?? 0
}
