import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const SRC = resolve(import.meta.dirname, '../src')

/** Who may import whom: area -> areas. `secret.ts` is a leaf that anyone may import. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  config: ['providers'],
  api: ['broker', 'config', 'telemetry', 'gen'],
  http: ['broker', 'config', 'telemetry'],
  broker: ['oauth', 'providers', 'store', 'audit'],
  oauth: ['egress', 'providers'],
  sandbox: ['providers'],
  providers: [],
  store: [],
  audit: [],
  telemetry: [],
  egress: [],
  gen: [],
  'cli/serve.ts': [
    'api',
    'audit',
    'broker',
    'config',
    'egress',
    'http',
    'oauth',
    'providers',
    'store',
    'telemetry',
  ],
  'cli/system-ports.ts': ['broker'],
  // Judges with the very function that the broker judges with.
  'cli/policy-test.ts': ['broker', 'config'],
  cli: ['gen', 'config', 'store', 'providers', 'sandbox', 'audit'],
}

/** Packages that only some areas may touch. */
const PACKAGES: readonly (readonly [pattern: RegExp, areas: readonly string[]])[] = [
  [/^@grpc\/|^grpc-health-check$/, ['api', 'gen', 'cli']],
  [/^undici$/, ['egress']],
  [/^better-sqlite3$|^pg$/, ['store']],
  [/^jose$/, ['api']],
]

interface Source {
  readonly path: string
  readonly text: string
  readonly imports: readonly string[]
}

const sources: readonly Source[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter(path => path.endsWith('.ts'))
  .map(path => {
    const text = readFileSync(join(SRC, path), 'utf8')
    const imports = [...text.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)].map(
      match => match[1] ?? '',
    )
    return { path, text, imports }
  })

const areaOf = (path: string) => path.split('/')[0] ?? ''

/** The most specific entry of {@link ALLOWED}: cli/demo and its parts wire everything, as cli/serve does. */
function allowedFor(path: string): readonly string[] {
  // Looks at what serve would do with everything.
  if (path.startsWith('cli/doctor')) return ALLOWED['cli/serve.ts'] ?? []
  if (path.startsWith('cli/demo') || path.startsWith('cli/serve'))
    return [...(ALLOWED['cli/serve.ts'] ?? []), 'gen', 'sandbox']
  return ALLOWED[path] ?? ALLOWED[areaOf(path)] ?? []
}

function offences({ path, imports }: Source): string[] {
  return imports
    .filter(name => name.startsWith('.'))
    .map(name => relative(SRC, resolve(SRC, dirname(path), name)))
    .filter(target => target.includes('/') && areaOf(target) !== areaOf(path))
    .filter(target => !allowedFor(path).includes(areaOf(target)))
    .map(target => `${path} -> ${target}`)
}

describe('imports', () => {
  it('are found at all', () => {
    expect(sources.length).toBeGreaterThan(50)
    expect(offences({ path: 'egress/x.ts', text: '', imports: ['../broker/errors.ts'] })).toHaveLength(1)
  })

  it('point one way', () => {
    expect(sources.filter(({ path }) => path.includes('/')).flatMap(offences)).toEqual([])
  })

  it('keep packages in their areas', () => {
    const wrong = sources.flatMap(({ path, imports }) =>
      imports.filter(name =>
        PACKAGES.some(([pattern, areas]) => pattern.test(name) && !areas.includes(areaOf(path))),
      ),
    )
    expect(wrong).toEqual([])
  })

  it('leave the environment to config', () => {
    const readers = sources.filter(
      ({ path, text }) => areaOf(path) !== 'config' && /process\.env\b/.test(text),
    )
    expect(readers.map(({ path }) => path)).toEqual([])
  })
})

describe('files', () => {
  it('have no more than 250 lines', () => {
    const long = sources.filter(({ path, text }) => areaOf(path) !== 'gen' && text.split('\n').length > 251)
    expect(long.map(({ path }) => path)).toEqual([])
  })
})
