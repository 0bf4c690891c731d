import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Shared } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import type { Sandbox } from '../../src/sandbox/sandbox.ts'
import { bearer, call, failureOf } from '../api/running-server.ts'
import { runCli } from '../cli/run-cli.ts'
import { createHome, type Home, type RunningBroker, startSandbox } from './broker-process.ts'
import { type Walk, walkConsent } from './consent-walk.ts'

const CLIENT = { clientId: 'canary', clientSecret: 'canary-client-secret-2f1c' }
const STATIC_TOKEN = 'canary-static-token-77ab'
const WRONG_TOKEN = 'canary-wrong-operator-token-90fe'
const CONNECTION = { provider: 'acme', account: '' }

interface World {
  readonly home: Home
  readonly broker: RunningBroker
  readonly sandbox: Sandbox
  readonly walks: Walk[]
  /** Whatever left the broker in other ways than its log and its files: pages, errors, printed documents. */
  readonly said: string[]
  /** By what they are, as they are known from outside. */
  readonly secrets: Map<string, string>
}

async function createWorld(): Promise<World> {
  const { sandbox, origin } = await startSandbox({ autoApprove: true, clients: [CLIENT] })
  const home = await createHome()
  await home.writeFile('client-secret', CLIENT.clientSecret)
  await home.writeFile('static-token', STATIC_TOKEN)
  await home.configure(`acme:
  definition: {issuer: "${origin}/oauth2"}
  client_id: ${CLIENT.clientId}
  client_secret: {file: client-secret}
  scopes: [read, write]
fixed:
  definition: {token_url: "${origin}/oauth2/token"}
  static_access_token: {file: static-token}`)
  const broker = await home.start()
  const secrets = new Map([
    ['client secret', CLIENT.clientSecret],
    ['static token', STATIC_TOKEN],
    ['wrong operator token', WRONG_TOKEN],
  ])
  return { home, broker, sandbox, walks: [], said: [], secrets }
}

/** Walks a new link, and remembers every secret that goes with it. */
async function consent(world: World): Promise<Walk> {
  const { broker, walks, secrets, said } = world
  const { url } = await broker.createLink('acme', { allowAccountChange: true })
  const walk = await walkConsent(url)
  const nth = walks.push(walk)
  secrets.set(`link ${nth}`, new URL(url).pathname.split('/').at(-1) ?? '')
  walk.cookieValues.forEach((value, index) => {
    secrets.set(`cookie ${nth}.${index}`, value)
  })
  for (const name of ['code', 'state', 'code_challenge']) {
    const values = walk.urls.map(({ searchParams }) => searchParams.get(name))
    const value = values.find(candidate => candidate !== null)
    if (value) secrets.set(`${name} ${nth}`, value)
  }
  said.push(walk.result)
  return walk
}

async function refusal({ said }: World, outcome: Promise<unknown>): Promise<string | undefined> {
  const failure = await failureOf(outcome)
  said.push(failure.message, failure.bytes.toString('latin1'))
  return failure.reason
}

async function runCommand({ broker, said }: World, ...argv: string[]): Promise<unknown> {
  const { stdout, stderr } = await runCli([...argv, '--json'], { broker })
  said.push(stdout, stderr)
  return JSON.parse(stdout)
}

/** Everything that a connection can live through. */
async function live(world: World): Promise<void> {
  const { broker } = world
  expect((await consent(world)).result).toContain('Connected')
  const first = await broker.getToken('acme')
  const { refreshed } = await broker.call(broker.tokens, broker.tokens.refresh, CONNECTION)
  expect(refreshed).toBe(true)
  const second = await broker.getToken('acme', { rejectedVersion: first.version })
  const third = await broker.getToken('acme', { rejectedVersion: second.version })
  expect(new Set([first, second, third].map(({ version }) => version)).size).toBe(3)
  expect((await broker.getToken('fixed')).accessToken).toBe(STATIC_TOKEN)
}

/** Everything that can go wrong, with answers that repeat what was sent. */
async function fail(world: World): Promise<void> {
  const { broker, sandbox } = world
  const echo = (operation: 'exchange' | 'refresh', secret: string) =>
    sandbox.control.addFault({
      operation,
      times: 1,
      answer: 'canned',
      status: 400,
      body: JSON.stringify({ error: secret, error_description: `${secret} is wrong`, access_token: secret }),
    })
  echo('exchange', CLIENT.clientSecret)
  expect((await consent(world)).result).toContain('EXCHANGE_FAILED')
  sandbox.control.changeBehavior('oauth2', { consent: 'deny' })
  expect((await consent(world)).result).toContain('DENIED')

  const { accessToken, version } = await broker.getToken('acme')
  echo('refresh', accessToken)
  await refusal(world, broker.getToken('acme', { rejectedVersion: version }))
  const asStranger = call(
    broker.tokens,
    broker.tokens.getStatus,
    { ...CONNECTION, verify: false },
    bearer(WRONG_TOKEN),
  )
  expect(await refusal(world, asStranger)).toBe('CALLER_UNAUTHENTICATED')
  const { version: rejectedVersion } = await broker.getToken('fixed')
  expect(await refusal(world, broker.getToken('fixed', { rejectedVersion }))).toBe('STATIC_TOKEN_REJECTED')
}

/** What only the broker and the sandbox know. */
function learnSecrets({ home, sandbox, secrets }: World): void {
  for (const { kind, value } of sandbox.control.listTokens()) secrets.set(`${kind} token ${value}`, value)
  for (const name of ['operator.token', 'root.key'])
    secrets.set(name, readFileSync(join(home.dataDir, name), 'utf8').trim())
}

/** The secrets that occur in a text, in clear or as base64. */
function found({ secrets }: World, text: Buffer | string): string[] {
  const bytes = Buffer.from(text)
  const hit = (value: string) => bytes.includes(value) || bytes.includes(btoa(value).replace(/=+$/, ''))
  return [...secrets].filter(([, value]) => hit(value)).map(([name]) => name)
}

/** What each file of the data directory gives away. */
function leaks(world: World, name: string): Record<string, string[]> {
  // A copy by another program: in this process, to open and close a database's file would drop its locks.
  const copy = join(world.home.folder, name)
  execFileSync('cp', ['-R', world.home.dataDir, copy])
  const rootKey = Buffer.from(world.secrets.get('root.key') ?? '', 'base64')
  const files = readdirSync(copy).map((file): [string, string[]] => {
    const content = readFileSync(join(copy, file))
    return [file, [...found(world, content), ...(content.includes(rootKey) ? ['root key bytes'] : [])]]
  })
  return Object.fromEntries(files.filter(([, names]) => names.length > 0))
}

/** These two files are what they are called; to find them shows that the search finds things. */
const EXPECTED_LEAKS = { 'operator.token': ['operator.token'], 'root.key': ['root.key'] }

it('keeps every secret out of logs, errors, pages, documents and files', async () => {
  const world = await createWorld()
  const { home, broker, said, secrets } = world
  await live(world)
  learnSecrets(world)
  expect(leaks(world, 'while-connected')).toEqual(EXPECTED_LEAKS)

  await fail(world)
  expect(await runCommand(world, 'status', 'acme')).toMatchObject({ connected: true })
  await runCommand(world, 'list')
  await runCommand(world, 'refresh', 'acme')
  learnSecrets(world)
  expect(leaks(world, 'after-failures')).toEqual(EXPECTED_LEAKS)

  await broker.call(broker.tokens, broker.tokens.disconnect, { ...CONNECTION, shared: Shared.UNSPECIFIED })
  expect(await refusal(world, broker.getToken('acme'))).toBe('CONSENT_REQUIRED')
  await broker.stop()
  expect(leaks(world, 'at-the-end')).toEqual(EXPECTED_LEAKS)

  expect([...secrets.keys()]).toEqual(expect.arrayContaining(['code 1', 'state 1', 'link 3', 'cookie 1.0']))
  expect([...secrets.values()].every(value => value.length >= 16)).toBe(true)
  expect(home.logLines.length).toBeGreaterThan(0)
  expect(found(world, home.logLines.join('\n'))).toEqual([])
  for (const text of said) expect(found(world, text)).toEqual([])
})
