import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { builtIns } from '../../src/providers/built-ins.ts'
import type { Definition } from '../../src/providers/definition.ts'
import { PRODUCTION, resolveDefinition } from '../../src/providers/resolve.ts'
import { dialects } from '../../src/sandbox/dialects.ts'
import { load } from '../config/world.ts'

const docs = new URL('../../docs/', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, docs), 'utf8')
const pages = [...builtIns.keys()].map(id => [id, read(`providers/${id}.md`)] as const)

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** `2 hours`, `24 hours`, `30 days`. */
function inWords(ms: number): string {
  return ms > DAY_MS ? `${ms / DAY_MS} days` : `${ms / HOUR_MS} hours`
}

/** The lines of the table under this heading row, without the row itself. */
function tableUnder(page: string, heading: string): string[] {
  const lines = page.split('\n')
  const body = lines.slice(lines.indexOf(heading) + 2)
  return body.slice(
    0,
    body.findIndex(line => !line.startsWith('|')),
  )
}

function factsOf(id: string): string[] {
  const definition = resolveDefinition(id, id)
  const { authorize, client_auth: auth, refresh, present, operations } = definition
  const environments = Object.keys(builtIns.get(id)?.environments ?? {}).map(
    name => [name, resolveDefinition(id, id, name)] as const,
  )
  const headers = Object.entries(present.headers).map(([name, value]) => code(`${name}: ${value}`))
  return [
    ['definition', code(id)],
    ['facts as of', definition.as_of],
    ['consent page', code(authorize.url)],
    ['hosts', hostsOf(definition)],
    ...environments.map(([name, test]) => [`hosts of environment ${code(name)}`, hostsOf(test)]),
    ['client authentication', code(auth)],
    ['scope separator', authorize.scope_separator === ' ' ? 'a space' : code(authorize.scope_separator)],
    ['PKCE', code(authorize.pkce)],
    ['redirect URI', redirectRule(definition)],
    ...environments
      .filter(([, test]) => redirectRule(test) !== redirectRule(definition))
      .map(([name, test]) => [`redirect URI in environment ${code(name)}`, redirectRule(test)]),
    ['used refresh token', refresh.replay === undefined ? 'unknown' : code(refresh.replay)],
    ['keep-alive', refresh.keep_alive ? inWords(refresh.keep_alive) : "half the refresh token's life"],
    ['refresh token, where the answer does not say', refreshLifetime(refresh.refresh_lifetime)],
    ['missing scopes', code(definition.missing_scopes)],
    ['a revocation ends', code(operations.revoke?.revokes)],
    ['API header', [code(`${present.header}: ${present.prefix}`), ...headers].join(', ')],
  ].map(([fact, value]) => `| ${fact} | ${value} |`)
}

function code(text: unknown): string {
  return `\`${String(text).replace(/[: ]+$/, '')}\``
}

function hostsOf({ authorize, operations, present }: Definition): string {
  const urls = [
    authorize.url,
    ...Object.values(operations).map(operation => operation?.url),
    present.base_url,
  ]
  const hosts = urls.filter(url => url !== undefined).map(url => code(new URL(url).host))
  return [...new Set(hosts)].join(', ')
}

function redirectRule({ authorize }: Definition): string {
  const rules = [
    authorize.redirect_https_required ? 'https only' : '',
    authorize.redirect_length_max ? `at most ${authorize.redirect_length_max} characters` : '',
  ]
  return rules.filter(Boolean).join(', ') || 'no rule is known'
}

function refreshLifetime(lifetime: Definition['refresh']['refresh_lifetime']): string {
  if (lifetime?.kind === 'none') return 'never ends'
  return lifetime?.of === undefined ? 'unknown' : `${inWords(lifetime.of)}, ${lifetime.kind}`
}

/** The example files of a page; a list indents some. */
function filesOf(page: string): string[] {
  return [...page.matchAll(/^( *)```yaml\n([\s\S]*?)^ *```$/gm)].map(([, indent = '', file = '']) =>
    file.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  )
}

async function providersOf(file: string) {
  const env = Object.fromEntries([...file.matchAll(/\{env: (\w+)\}/g)].map(([, name]) => [name, 'secret']))
  const files = Object.fromEntries([...file.matchAll(/\{file: (\S+)\}/g)].map(([, path]) => [path, 'secret']))
  return [...(await load(file, { env, files })).providers.values()]
}

/** Command lines of the page's examples and sentences, each from `token-broker` to its end. */
function commandsOf(page: string): string[] {
  return [...page.matchAll(/token-broker ([a-z][^`\n|#;<]*)/g)].map(([, line = '']) => line)
}

describe('docs/providers', () => {
  it('has a page for each built-in definition and for nothing else', () => {
    const found = readdirSync(new URL('providers/', docs)).toSorted()
    expect(found).toEqual([...builtIns.keys()].map(id => `${id}.md`).toSorted())
  })

  it.each([...builtIns.keys()])('has a page on %s that README.md and definitions.md lead to', id => {
    expect(read('../README.md')).toContain(`(docs/providers/${id}.md)`)
    expect(read('definitions.md')).toContain(`(providers/${id}.md)`)
  })
})

describe.each(pages)('docs/providers/%s.md', (id, page) => {
  it('says what the definition says', () => {
    expect(tableUnder(page, '| the definition says | |')).toEqual(factsOf(id))
  })

  it('has the lifetimes that the sandbox, too, has from the sources', () => {
    const behavior = dialects.find(dialect => dialect.id === id)?.behavior
    const rows = tableUnder(page, '| token | lives | renewed |').map(line => line.split(' | '))
    const refreshLifetime = behavior?.refreshTokenLifetimeMs
    expect(rows).toEqual([
      ['| access token', inWords(behavior?.accessTokenLifetimeMs ?? Number.NaN), expect.any(String)],
      [
        '| refresh token',
        expect.stringMatching(refreshLifetime ? `^${inWords(refreshLifetime)}` : /^never ends$/),
        expect.any(String),
      ],
    ])
  })

  it('shows files that can be served, and the redirect URIs that they yield', async () => {
    const files = filesOf(page)
    expect(files.length).toBeGreaterThan(0)
    expect(page.match(/```yaml\n *# broker\.yaml\n/g)).toHaveLength(files.length)
    const providers = (await Promise.all(files.map(providersOf))).flat()
    const redirectUris = providers.map(({ redirectUri }) => redirectUri)
    for (const [uri] of page.matchAll(/https?:\/\/[\w.:-]+\/oauth\/callback\/[\w-]+/g))
      expect(redirectUris).toContain(uri)
    // A file of another definition would say nothing about this page.
    expect(new Set(providers.map(({ definition }) => definition.id))).toEqual(new Set([id]))
  })

  it('names every environment in a file that chooses it', async () => {
    const providers = (await Promise.all(filesOf(page).map(providersOf))).flat()
    const environments = new Set(providers.map(({ environment }) => environment))
    const known = [PRODUCTION, ...Object.keys(builtIns.get(id)?.environments ?? {})]
    expect([...environments].toSorted()).toEqual(known.toSorted())
  })

  it('uses only commands and options that docs/cli.md has', () => {
    const cli = read('cli.md')
    const commands = commandsOf(page)
    expect(commands.length).toBeGreaterThan(4)
    for (const line of commands) {
      const [command = ''] = /^(config check|callers create|[a-z]+)/.exec(line) ?? []
      expect(cli, line).toContain(`\n## ${command}\n`)
      for (const [option] of line.matchAll(/--[a-z-]+/g)) expect(cli, line).toContain(option)
    }
  })

  it('names its sources and marks what nobody could try', () => {
    expect(page).toMatch(/\n## Sources\n\n- /)
    expect(page).toContain('not tried')
    expect(page.slice(page.indexOf('\n## Sources\n'))).toMatch(/20\d\d-\d\d-\d\d/)
  })
})
