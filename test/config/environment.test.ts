import { describe, expect, it } from 'vitest'
import { load, refusals, SOMEBODY } from './world.ts'

describe('loadConfig() with the environment alone', () => {
  it('takes the settings of the server', async () => {
    const config = await load(undefined, {
      env: {
        TOKEN_BROKER_GRPC: '[::1]:1',
        TOKEN_BROKER_HTTP: '127.0.0.1:2',
        TOKEN_BROKER_ADMIN: 'localhost:3',
        TOKEN_BROKER_PUBLIC_URL: 'https://b.example/',
        TOKEN_BROKER_DATA_DIR: 'd',
        TOKEN_BROKER_ROOT_KEY_FILE: 'k',
        TOKEN_BROKER_STORE: 'sqlite',
      },
    })
    expect(config).toMatchObject({
      listen: {
        grpc: [{ host: '::1', port: 1 }],
        http: { host: '127.0.0.1', port: 2 },
        admin: { host: 'localhost', port: 3 },
      },
      publicUrl: 'https://b.example',
      dataDir: '/srv/d',
      rootKey: { kind: 'file', path: '/srv/k', createIfMissing: false },
      store: 'sqlite',
    })
  })

  it.each([
    ['TOKEN_BROKER_GRPC', 'x', 'expected an address such as 127.0.0.1:8085 or [::1]:8085'],
    ['TOKEN_BROKER_ADMIN', '0.0.0.0:1', expect.stringContaining('only loopback is served without TLS')],
    ['TOKEN_BROKER_PUBLIC_URL', 'http://b.example', 'must be https; plain http is only for localhost'],
    ['TOKEN_BROKER_STORE', 'postgres://u:hunter2@db/x', 'postgres is not supported yet; use sqlite'],
    ['TOKEN_BROKER_STORE', 'x', 'expected sqlite'],
  ])('refuses %s=%s and names the variable', async (name, value, message) => {
    const lines = await refusals(undefined, { env: { [name]: value } })
    expect(lines).toHaveLength(1)
    const [place, ...sentence] = lines[0]?.split(': ') ?? []
    expect(place).toBe(`environment  ${name}`)
    expect(sentence.join(': ')).toEqual(message)
  })

  it('ignores variables of others, those set to nothing, and those that Kubernetes makes for a service', async () => {
    const env = {
      TOKEN_BROKER_PORT: 'tcp://10.0.0.1:50051',
      TOKEN_BROKER_SERVICE_HOST: '10.0.0.1',
      TOKEN_BROKER_ISSUER: 'https://x.example',
      TOKEN_BROKER_HTTP: '',
      ACME_CLIENT_ID: 'x',
      ACME_CLIENT_SECRET: 'x',
      PINTEREST_CLIENT_ID: '',
      PINTEREST_SCOPES: 'ads:read',
      '2FA_ISSUER': 'https://x.example',
      _ISSUER: 'https://x.example',
      acme_ISSUER: 'https://x.example',
      OTHER_ISSUER: '',
    }
    expect(await load(undefined, { env })).toEqual(await load())
  })
})

describe('loadConfig() with providers in the environment', () => {
  it.each([
    ['PINTEREST_CLIENT_ID', 'PINTEREST_CLIENT_SECRET'],
    ['PINTEREST_APP_ID', 'PINTEREST_APP_SECRET'],
  ])('enables a built-in one by %s and %s', async (id, secret) => {
    const env = { [id]: '7', [secret]: 's', PINTEREST_SCOPES: ' ads:read,boards:read  pins:read,' }
    const provider = (await load(undefined, { env })).providers.get('pinterest')
    expect(provider).toMatchObject({
      id: 'pinterest',
      clientId: '7',
      environment: 'production',
      scopes: ['ads:read', 'boards:read', 'pins:read'],
      redirectUri: 'http://localhost:8085/oauth/callback/pinterest',
    })
    expect(provider?.clientSecrets.map(value => value.expose())).toEqual(['s'])
    expect(provider?.staticAccessToken).toBeUndefined()
  })

  it('enables a built-in one by its access token alone', async () => {
    const provider = (await load(undefined, { env: { PINTEREST_ACCESS_TOKEN: 't' } })).providers.get(
      'pinterest',
    )
    expect(provider?.clientId).toBeUndefined()
    expect(provider?.staticAccessToken?.expose()).toBe('t')
  })

  it('never mixes the two pairs of names', async () => {
    const env = {
      PINTEREST_CLIENT_ID: '1',
      PINTEREST_CLIENT_SECRET: 'a',
      PINTEREST_APP_ID: '2',
      PINTEREST_APP_SECRET: 'b',
    }
    const provider = (await load(undefined, { env })).providers.get('pinterest')
    expect([provider?.clientId, provider?.clientSecrets[0]?.expose()]).toEqual(['1', 'a'])
    expect(
      await refusals(undefined, { env: { PINTEREST_CLIENT_ID: '1', PINTEREST_APP_SECRET: 'b' } }),
    ).toHaveLength(1)
  })

  it('enables any id by its issuer', async () => {
    const env = { ACME_EU_ISSUER: 'https://acme.example', ACME_EU_CLIENT_ID: 'x', ACME_EU_CLIENT_SECRET: 's' }
    const config = await load(undefined, { env })
    expect([...config.providers.keys()]).toEqual(['acme-eu'])
    expect(config.providers.get('acme-eu')).toMatchObject({
      clientId: 'x',
      definition: { id: 'acme-eu', issuer: 'https://acme.example' },
    })
  })

  it.each([
    [
      { PINTEREST_CLIENT_ID: 'x' },
      'PINTEREST_CLIENT_SECRET: is missing; without one the definition needs client_auth: none; PINTEREST_CLIENT_ID is set and makes it necessary',
    ],
    [
      { PINTEREST_APP_SECRET: 'x' },
      'PINTEREST_APP_ID: is missing; a client secret goes with a client id; PINTEREST_APP_SECRET is set and makes it necessary',
    ],
    [
      { ACME_ISSUER: 'https://a.example' },
      'ACME_CLIENT_ID: is missing; a provider needs a client id, or at least a static access token; ACME_ISSUER is set and makes it necessary',
    ],
    [{ ACME_ISSUER: 'acme', ACME_ACCESS_TOKEN: 't' }, 'ACME_ISSUER: expected an absolute URL'],
    [
      { ACME_ISSUER: 'http://acme.example', ACME_ACCESS_TOKEN: 't' },
      'ACME_ISSUER: must be https; plain http is only for localhost',
    ],
    [
      { PINTEREST_ACCESS_TOKEN: 'a b' },
      'PINTEREST_ACCESS_TOKEN: is not an access token: expected at most 16384 visible ASCII characters',
    ],
    [
      { PINTEREST_ACCESS_TOKEN: 't', PINTEREST_SCOPES: 'a\\b' },
      'PINTEREST_SCOPES: expected one scope, without spaces',
    ],
  ])('refuses %j', async (env, line) => {
    expect(await refusals(undefined, { env })).toEqual([`environment  ${line}`])
  })
})

describe('loadConfig() with a file and the environment', () => {
  it('lets TOKEN_BROKER_* win over the file, and keeps the TLS of a listener', async () => {
    const yaml = `listen:
  grpc: [{address: 127.0.0.1:1, tls: proxy}, {address: 127.0.0.1:2}]
  http: {address: 127.0.0.1:3, tls: proxy}
public_url: https://file.example
data_dir: file
root_key: {env: KEY}
${SOMEBODY}
`
    const config = await load(yaml, {
      env: {
        TOKEN_BROKER_GRPC: '0.0.0.0:9',
        TOKEN_BROKER_HTTP: '0.0.0.0:8',
        TOKEN_BROKER_PUBLIC_URL: 'https://variable.example',
        TOKEN_BROKER_DATA_DIR: '/variable',
        TOKEN_BROKER_ROOT_KEY_FILE: '/variable/root.key',
      },
    })
    expect(config).toMatchObject({
      listen: {
        grpc: [{ host: '0.0.0.0', port: 9, tls: 'proxy' }],
        http: { host: '0.0.0.0', port: 8, tls: 'proxy' },
        admin: { host: '127.0.0.1', port: 8086 },
      },
      publicUrl: 'https://variable.example',
      dataDir: '/variable',
      rootKey: { kind: 'file', path: '/variable/root.key', createIfMissing: true },
    })
  })

  it('puts the address of a variable in the place of a socket', async () => {
    const env = { TOKEN_BROKER_GRPC: '127.0.0.1:9' }
    const { listen } = await load('listen: {grpc: [{socket: run/tb.sock}]}', { env })
    expect(listen.grpc).toEqual([{ host: '127.0.0.1', port: 9 }])
  })

  it('starts relative paths of variables in the working directory, not in the folder of the file', async () => {
    const config = await load(undefined, {
      argvPath: '/etc/b.yaml',
      files: { '/etc/b.yaml': 'data_dir: a' },
      env: { TOKEN_BROKER_DATA_DIR: 'd' },
    })
    expect(config.dataDir).toBe('/srv/d')
  })

  const env = { PINTEREST_CLIENT_ID: 'env', PINTEREST_CLIENT_SECRET: 'env', PINTEREST_ACCESS_TOKEN: 'env' }

  it('lets a provider of the file take nothing from the environment', async () => {
    const yaml = 'providers: {pinterest: {client_id: file, client_secret: {env: MINE}}}'
    const provider = (await load(yaml, { env: { ...env, MINE: 'file' } })).providers.get('pinterest')
    expect(provider?.clientId).toBe('file')
    expect(provider?.clientSecrets.map(secret => secret.expose())).toEqual(['file'])
    expect(provider?.staticAccessToken).toBeUndefined()
  })

  it('reports at its line what such a provider lacks', async () => {
    expect(await refusals('providers:\n  pinterest: {}', { env })).toEqual([
      'broker.yaml:2:3  providers.pinterest.client_id: is missing; a provider needs a client id, or at least a static access token',
    ])
  })

  it('adds providers that the file does not have', async () => {
    const yaml =
      'providers: {a: {definition: {issuer: https://a.example}, static_access_token: {env: PINTEREST_ACCESS_TOKEN}}}'
    expect([...(await load(yaml, { env })).providers.keys()].sort()).toEqual(['a', 'pinterest'])
  })

  it('leaves variables that the file names to the file', async () => {
    const yaml = `providers:
  pinterest-eu:
    definition: pinterest
    client_id: eu
    client_secret: [{env: PINTEREST_CLIENT_SECRET}]
`
    const config = await load(yaml, { env: { PINTEREST_CLIENT_SECRET: 's' } })
    expect([...config.providers.keys()]).toEqual(['pinterest-eu'])
  })

  it('does not hide a mistake of the file behind a variable', async () => {
    expect(
      await refusals('listen: x\nproviders: y', { env: { ...env, TOKEN_BROKER_HTTP: '127.0.0.1:1' } }),
    ).toEqual([
      'broker.yaml:1:1  listen: expected a map of keys',
      'broker.yaml:2:1  providers: expected a map of keys',
    ])
  })
})
