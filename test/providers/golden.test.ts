import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { authorizationUrl } from '../../src/oauth/authorization.ts'
import { readCallback } from '../../src/oauth/callback.ts'
import type { Failure, Result } from '../../src/oauth/failure.ts'
import { valueAt } from '../../src/oauth/json.ts'
import { builtIns } from '../../src/providers/built-ins.ts'
import type { ErrorRule } from '../../src/providers/definition.ts'
import { resolveDefinition } from '../../src/providers/resolve.ts'
import { Secret } from '../../src/secret.ts'
import { client } from '../oauth/client-under-test.ts'
import type { WireRequest } from '../oauth/fake-http.ts'

// What the providers' own pages, code and recorded answers show, as files: none of it is derived from the
// definitions. Each request and answer names its source and how sure it is: [V] the provider says so, [V-code]
// somebody's working code or recording does, [3P] somebody says so, [U] nobody does and the safe reading stands.

interface GoldenRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** `name=value` as on the wire, in any order. */
  readonly query?: readonly string[]
  readonly form?: readonly string[]
  readonly json?: object
}

interface GoldenAnswer {
  readonly name: string
  readonly status: number
  readonly body: unknown
  /** What must be read from it; null = nothing. */
  readonly reads?: Readonly<Record<string, unknown>>
  readonly fails?: Pick<Failure, 'class' | 'providerCode' | 'outcomeUnknown'>
}

interface Golden {
  readonly provider: string
  readonly environment?: string
  readonly extends?: object
  readonly operation: 'authorize' | 'callback' | 'exchange' | 'refresh' | 'migrate' | 'revoke' | 'verify'
  readonly client: { readonly id: string; readonly secret?: string }
  readonly input: Readonly<Record<string, unknown>>
  readonly request: GoldenRequest
  readonly answers: readonly GoldenAnswer[]
  readonly callbacks: readonly {
    readonly name: string
    readonly query: string
    readonly outcome: Readonly<Record<string, unknown>>
  }[]
}

/** Before each end that the files name: one that is past when it is issued is taken for none. */
const SENT_AT = Date.UTC(2022, 0, 1)
const FOLDER = join(import.meta.dirname, 'golden')
const SECRETS = ['code', 'codeVerifier', 'refreshToken', 'accessToken', 'token', 'state']

const goldens = readdirSync(FOLDER).flatMap(provider =>
  readdirSync(join(FOLDER, provider)).map((file): [string, Golden] => [
    `${provider}/${file}`,
    JSON.parse(readFileSync(join(FOLDER, provider, file), 'utf8')),
  ]),
)

describe.each(goldens.filter(([, { operation }]) => operation === 'authorize'))('%s', (_, golden) => {
  it('sends the browser there', async () => {
    const { provider, definition } = speak(golden)
    const url = await authorizationUrl(definition, provider, inputOf(golden))
    const [place, query] = url?.expose().split('?') ?? []
    expect(place).toBe(golden.request.url)
    expect(query?.split('&').sort()).toEqual(golden.request.query?.toSorted())
  })
})

describe.each(goldens.filter(([, { operation }]) => operation === 'callback'))('%s', (_, golden) => {
  it.each(golden.callbacks)('reads $name', ({ query, outcome }) => {
    const { provider, definition } = speak({ ...golden, client: { id: 'any' } })
    const parameters = [...new URLSearchParams(query)].map(
      ([name, value]) => [name, new Secret(value)] as const,
    )
    expect(clear(readCallback(definition, provider, parameters))).toMatchObject(outcome)
  })
})

describe.each(goldens.filter(([, { answers }]) => answers !== undefined))('%s', (_, golden) => {
  it.each(golden.answers)('sends the request and reads $name', async answer => {
    const { http, run } = speak(golden, answer)
    const result = await run()
    expect(http.sent.map(inAnyOrder)).toEqual([expectedOf(golden.request)])
    expect((answer.reads === undefined) === (answer.fails !== undefined)).toBe(true)
    if (!result.ok) expect(result.failure).toMatchObject(answer.fails ?? { class: 'a success was expected' })
    else expect(inSeconds(clear(result.value))).toMatchObject(expectedReads(answer))
  })
})

describe('the golden files', () => {
  it.each([...builtIns])('cover everything that %s can do', (id, { operations }) => {
    const covered = goldens
      .filter(([, golden]) => golden.provider === id)
      .map(([, { operation }]) => operation)
    expect(covered).toEqual(expect.arrayContaining(['authorize', 'callback', ...Object.keys(operations)]))
  })

  it.each([...builtIns])('show every operation that an environment of %s has elsewhere', (id, definition) => {
    for (const [environment, overrides] of Object.entries(definition.environments ?? {})) {
      const covered = goldens
        .filter(([, golden]) => golden.provider === id && golden.environment === environment)
        .map(([, { operation }]) => operation)
      const { operations = {} } = overrides as Pick<typeof definition, 'operations'>
      expect(covered).toEqual(expect.arrayContaining(['authorize', ...Object.keys(operations)]))
    }
  })

  it.each([...builtIns.keys()])('show what every error rule of %s is for', id => {
    const { errors } = resolveDefinition(id, id)
    const codes = errors.flatMap(rule => codesOf(rule).map(code => ({ rule, code })))
    expect(codes.filter(({ rule, code }) => !isShown(id, rule, code))).toEqual([])
  })

  it('name the source of each literal and how sure it is', () => {
    for (const [file, { request, answers = [], callbacks = [] }] of goldens) {
      for (const literal of [request, ...answers, ...callbacks].filter(Boolean)) {
        expect(literal, file).toHaveProperty('source', expect.stringMatching(/\[(V|V-code|3P|U)\]|by rule/))
      }
    }
  })
})

/** The codes that a rule names; where it names none, any answer that it decides will do. */
function codesOf({ equals, in: several }: ErrorRule): readonly unknown[] {
  return several ?? [equals]
}

/** Whether some answer of the provider's has that code where the rule looks, and gets the rule's verdict. */
function isShown(id: string, rule: ErrorRule, code: unknown): boolean {
  return goldens.some(([, { provider, operation, answers = [] }]) => {
    const isMeant = rule.operation === undefined || [rule.operation].flat().includes(operation as never)
    // To revoke what is dead already is a success.
    const verdictOf = ({ fails }: GoldenAnswer) =>
      fails?.class ?? (operation === 'revoke' ? 'reauthorize' : undefined)
    return (
      provider === id &&
      isMeant &&
      answers.some(
        answer =>
          (rule.http === undefined || [rule.http].flat().includes(answer.status)) &&
          (code === undefined || valueAt(answer.body, rule.at ?? '') === code) &&
          verdictOf(answer) === rule.class,
      )
    )
  })
}

/** The client of a golden file, before which the provider answers as the file says. */
function speak(golden: Golden, answer?: GoldenAnswer) {
  const { provider: id, environment, operation } = golden
  const definition = resolveDefinition(
    golden.extends ? { extends: id, ...golden.extends } : id,
    id,
    environment,
  )
  const { secret } = golden.client
  const over = {
    definition,
    clientId: golden.client.id,
    clientSecrets: secret === undefined ? [] : [new Secret(secret)],
  }
  const spoken = client(id, () => ({ status: answer?.status ?? 500, body: answer?.body }), over, SENT_AT)
  const operations: Record<string, (input: never) => Promise<Result<unknown>>> = { ...spoken } as never
  return { ...spoken, definition, run: () => operations[operation]?.(inputOf(golden)) ?? missing(operation) }
}

function missing(operation: string): never {
  throw new Error(`there is no operation ${operation}`)
}

function inputOf({ input }: Golden): never {
  const secrets = Object.entries(input).map(([name, value]) => [
    name,
    SECRETS.includes(name) ? new Secret(String(value)) : value,
  ])
  return { variables: {}, scopes: [], ...Object.fromEntries(secrets) } as never
}

function inAnyOrder({ method, url, headers, body }: WireRequest) {
  const isForm = headers['content-type'] === 'application/x-www-form-urlencoded'
  const isJson = headers['content-type'] === 'application/json'
  return { method, url, headers, body: isForm ? body.split('&').sort() : isJson ? JSON.parse(body) : body }
}

function expectedOf({ method, url, headers, form, json }: GoldenRequest) {
  return { method, url, headers, body: form?.toSorted() ?? json ?? '' }
}

/** An answer's values with the secrets in clear. */
function clear(value: unknown): Record<string, unknown> {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : []
  return Object.fromEntries(entries.map(([name, one]) => [name, one instanceof Secret ? one.expose() : one]))
}

/** Adds what is left of the lifetimes, as the files count it. */
function inSeconds(read: Record<string, unknown>) {
  const left = (at: unknown) => (typeof at === 'number' ? (at - SENT_AT) / 1000 : undefined)
  const { expiresAt, refreshExpiresAt } = read
  return { ...read, expiresInSeconds: left(expiresAt), refreshExpiresInSeconds: left(refreshExpiresAt) }
}

function expectedReads({ reads = { nothing: 'a failure was expected' } }: GoldenAnswer) {
  const times = ['expiresAt', 'refreshExpiresAt']
  return Object.fromEntries(
    Object.entries(reads).map(([name, value]) => [
      name,
      value === null ? undefined : times.includes(name) ? Date.parse(String(value)) : value,
    ]),
  )
}
