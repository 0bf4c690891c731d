import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createCallerToken } from '../../src/config/caller-token.ts'
import { METHODS } from '../../src/config/methods.ts'
import { configSchema } from '../../src/config/schema.ts'
import { sourceSchema } from '../../src/config/secret-source.ts'
import { fixture, load, sha256 } from './world.ts'

const root = new URL('../../', import.meta.url)
const doc = readFileSync(new URL('docs/configuration.md', root), 'utf8')
const callers = readFileSync(new URL('docs/callers.md', root), 'utf8')
const files = [...(doc + callers).matchAll(/```yaml\n(# broker\.yaml\n[\s\S]*?)```/g)].map(
  match => match[1] ?? '',
)

const PEM = {
  'tls/cert.pem': 'cert.pem',
  'tls/key.pem': 'key.pem',
  'tls/clients.pem': 'cert.pem',
  'certificates/internal.pem': 'cert.pem',
}
const FILES = {
  ...Object.fromEntries(Object.entries(PEM).map(([path, name]) => [`/srv/${path}`, fixture(name)])),
  '/run/secrets/acme': 'secret\n',
  '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt': fixture('cert.pem'),
  '/run/secrets/pinterest-token': 'token\n',
  '/srv/secrets/shop': 'secret\n',
}
const COMMANDS = { vault: 'key\n', aws: 'secret\n' }

/** Every variable that a file names, and no other. */
function variablesOf(file: string): Record<string, string> {
  const names = [...file.matchAll(/\{env: (\w+)\}/g)].map(match => match[1] ?? '')
  return Object.fromEntries(
    names.map((name, index) => [name, name.endsWith('_SHA256') ? sha256(index) : `value-${index}`]),
  )
}

describe('docs/configuration.md', () => {
  it('has examples', () => {
    expect(files.length).toBeGreaterThanOrEqual(5)
    expect((doc + callers).match(/```yaml/g)).toHaveLength(files.length)
  })

  it.each(files.map((file, index) => [index + 1, file] as const))('loads example %d', async (_, file) => {
    await load(file, { env: variablesOf(file), files: FILES, commands: COMMANDS })
  })

  it('has a pattern for scanners that finds tokens, and little else', () => {
    const pattern = new RegExp(/^\\btb_.*$/m.exec(callers)?.[0] ?? '', 'g')
    const token = createCallerToken(size => randomBytes(size)).token.expose()
    expect(`x="${token}"; y`.match(pattern)).toEqual([token])
    expect(`${token}0 tb_${token} ${token.slice(0, -1)} ${token.toUpperCase()}`.match(pattern)).toBeNull()
  })

  it('names every key of the schema', () => {
    const missing = [...keysOf(configSchema), ...keysOf(sourceSchema)].filter(
      key => !new RegExp(`[\`{ ]${key}[\`:,} ]`).test(doc),
    )
    expect(missing).toEqual([])
  })

  it('names every method and every variable of the broker', () => {
    const sources = readdirSync(new URL('src/config/', root))
      .filter(name => name.endsWith('.ts'))
      .map(name => readFileSync(new URL(`src/config/${name}`, root), 'utf8'))
    const variables = new Set(sources.join('\n').match(/TOKEN_BROKER_[A-Z]+(?:_[A-Z]+)*\b(?!_)/g))
    variables.delete('TOKEN_BROKER_METHODS')
    expect(variables.size).toBeGreaterThan(10)
    expect([...variables, ...METHODS].filter(name => !doc.includes(`\`${name}\``))).toEqual([])
  })
})

/** The keys of a schema, at every depth. */
function keysOf(schema: unknown): string[] {
  if (schema instanceof z.ZodObject) {
    return Object.entries(schema.shape).flatMap(([key, value]) => [key, ...keysOf(value)])
  }
  if (schema instanceof z.ZodUnion) return schema.options.flatMap(keysOf)
  if (schema instanceof z.ZodArray) return keysOf(schema.element)
  if (schema instanceof z.ZodRecord) return keysOf(schema.valueType)
  if (schema instanceof z.ZodPipe) return keysOf(schema.in)
  const isWrapped =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault
  return isWrapped ? keysOf(schema.unwrap()) : []
}
