import { describe, expect, it } from 'vitest'
import { load, refusals, sha256 } from './world.ts'

const FULL = `listen:
  grpc: [{address: 127.0.0.1:50061}, {address: "[::1]:50061"}]
  http: {address: 127.0.0.1:9085}
  admin: {address: 127.0.0.1:9086}
public_url: http://localhost:9085/
trusted_proxies: [10.0.0.0/8, "fd00::/8", 192.0.2.1]
data_dir: ./state
store: sqlite
root_key: {file: ./state/root.key}
providers:
  pinterest:
    definition: pinterest
    environment: test
    client_id: "1234567"
    client_secret: {env: PINTEREST_APP_SECRET}
    scopes: ["ads:read", "boards:read"]
    static_access_token: {env: PINTEREST_ACCESS_TOKEN}
    redirect_path: /pinterest/oauth/callback
  acme:
    definition: {issuer: https://acme.example}
    client_id: x
    client_secret: [{file: /run/secrets/acme}, {command: [vault, read, acme]}]
    limits: {concurrency: 4, per_second: 0.5}
    missing_scopes: refuse
    endpoints_base: http://127.0.0.1:8087/acme/
  shop:
    definition: {extends: pinterest, variables: {shop: {matches: "[a-z]+"}}}
    client_id: {env: SHOP_ID}
    client_secret: {env: PINTEREST_APP_SECRET}
    variables: {shop: toys}
    redirect_path: /
callers:
  - name: ads-sync
    token_sha256: {env: ADS_SYNC_TOKEN_SHA256}
    expires: 2027-01-31
    allow: [{providers: [pinterest], accounts: ["*"], methods: [GetAccessToken, GetStatus]}]
  - name: ops
    token_sha256: ${sha256(0xabc).toUpperCase()}
    allow: [{providers: ["*"], accounts: ["", "team-*"], methods: ["*"]}]
log: {level: warn}
`

const WORLD = {
  env: {
    PINTEREST_APP_SECRET: 'p-secret',
    PINTEREST_ACCESS_TOKEN: 'p-token\n',
    SHOP_ID: '42',
    ADS_SYNC_TOKEN_SHA256: sha256(1),
  },
  files: { '/run/secrets/acme': 'a-secret\n' },
  commands: { vault: 'a-secret-2\r\n' },
}

describe('loadConfig() with everything in the file', () => {
  it('loads the server', async () => {
    expect(await load(FULL, WORLD)).toMatchObject({
      listen: {
        grpc: [
          { host: '127.0.0.1', port: 50061 },
          { host: '::1', port: 50061 },
        ],
        http: { host: '127.0.0.1', port: 9085 },
        admin: { host: '127.0.0.1', port: 9086 },
      },
      publicUrl: 'http://localhost:9085',
      trustedProxies: ['10.0.0.0/8', 'fd00::/8', '192.0.2.1'],
      dataDir: '/srv/state',
      store: 'sqlite',
      rootKey: { kind: 'file', path: '/srv/state/root.key', createIfMissing: true },
      log: { level: 'warn' },
    })
  })

  it('loads a provider with a built-in definition', async () => {
    const provider = (await load(FULL, WORLD)).providers.get('pinterest')
    expect(provider).toMatchObject({
      id: 'pinterest',
      environment: 'test',
      clientId: '1234567',
      scopes: ['ads:read', 'boards:read'],
      redirectPath: '/pinterest/oauth/callback',
      redirectUri: 'http://localhost:9085/pinterest/oauth/callback',
      limits: { concurrency: 16, perSecond: 10 },
      missingScopes: 'report',
      definition: { operations: { refresh: { url: 'https://api-sandbox.pinterest.com/v5/oauth/token' } } },
    })
    expect(provider?.clientSecrets.map(secret => secret.expose())).toEqual(['p-secret'])
    expect(provider?.staticAccessToken?.expose()).toBe('p-token')
  })

  it('loads a provider with an inline definition and two secrets', async () => {
    const provider = (await load(FULL, WORLD)).providers.get('acme')
    expect(provider).toMatchObject({
      definition: { id: 'acme', issuer: 'https://acme.example' },
      redirectUri: 'http://localhost:9085/oauth/callback/acme',
      limits: { concurrency: 4, perSecond: 0.5 },
      missingScopes: 'refuse',
      endpointsBase: 'http://127.0.0.1:8087/acme',
    })
    expect(provider?.clientSecrets.map(secret => secret.expose())).toEqual(['a-secret', 'a-secret-2'])
    expect(provider?.staticAccessToken).toBeUndefined()
  })

  it('loads a provider that extends a built-in definition', async () => {
    const provider = (await load(FULL, WORLD)).providers.get('shop')
    expect(provider).toMatchObject({ clientId: '42', variables: { shop: 'toys' }, redirectPath: '/' })
    expect(provider?.definition.authorize.url).toBe('https://www.pinterest.com/oauth/')
  })

  it('loads callers', async () => {
    expect((await load(FULL, WORLD)).callers).toEqual([
      {
        name: 'ads-sync',
        proof: { kind: 'static_token', tokens: [{ sha256: sha256(1), expiresAtMs: Date.UTC(2027, 0, 31) }] },
        allow: [{ providers: ['pinterest'], accounts: ['*'], methods: ['GetAccessToken', 'GetStatus'] }],
      },
      {
        name: 'ops',
        proof: { kind: 'static_token', tokens: [{ sha256: sha256(0xabc) }] },
        expiresAtMs: undefined,
        allow: [{ providers: ['*'], accounts: ['', 'team-*'], methods: ['*'] }],
      },
    ])
  })
})

describe('loadConfig() with nothing at all', () => {
  const defaults = {
    listen: {
      grpc: [{ host: '127.0.0.1', port: 50051, tls: undefined }],
      http: { host: '127.0.0.1', port: 8085, tls: undefined },
      admin: { host: '127.0.0.1', port: 8086, tls: undefined },
    },
    publicUrl: 'http://localhost:8085',
    returnUrls: new Map(),
    trustedProxies: [],
    dataDir: '/srv/data',
    store: 'sqlite',
    rootKey: { kind: 'file', path: '/srv/data/root.key', createIfMissing: true },
    providers: new Map(),
    callers: [],
    operatorToken: 'on',
    audit: { retentionMs: 400 * 86_400_000 },
    log: { level: 'info' },
  }

  it('has these defaults without a file', async () => {
    expect(await load()).toEqual(defaults)
  })

  it.each([[''], ['# nothing\n'], ['---\n'], ['{}'], ['listen: {}\nproviders: {}\ncallers: []\nlog: {}\n']])(
    'has the same for the file %j',
    async yaml => {
      expect(await load(yaml)).toEqual(defaults)
    },
  )
})

describe('loadConfig() looking for the file', () => {
  const files = {
    '/srv/broker.yaml': 'data_dir: default',
    '/etc/b.yaml': 'data_dir: from-variable',
    '/srv/conf/a.yaml': 'data_dir: from-argument',
  }

  it('takes what --config names first', async () => {
    const config = await load(undefined, {
      files,
      argvPath: 'conf/a.yaml',
      env: { TOKEN_BROKER_CONFIG: '/etc/b.yaml' },
    })
    expect(config.dataDir).toBe('/srv/conf/from-argument')
  })

  it('takes TOKEN_BROKER_CONFIG next', async () => {
    const config = await load(undefined, { files, env: { TOKEN_BROKER_CONFIG: '/etc/b.yaml' } })
    expect(config.dataDir).toBe('/etc/from-variable')
  })

  it('takes broker.yaml of the working directory last, also if the variable is set to nothing', async () => {
    expect((await load(undefined, { files, env: { TOKEN_BROKER_CONFIG: '' } })).dataDir).toBe('/srv/default')
  })

  it('starts every relative path of the file in its folder', async () => {
    const yaml =
      'providers: {a: {definition: {issuer: https://a.example}, client_id: x, client_secret: {file: s}}}'
    const config = await load(undefined, {
      argvPath: '/etc/c.yaml',
      files: { '/etc/c.yaml': yaml, '/etc/s': 'v' },
    })
    expect(config.providers.get('a')?.clientSecrets[0]?.expose()).toBe('v')
    expect(config.dataDir).toBe('/etc/data')
  })

  it('refuses a file that is named and absent', async () => {
    expect(await refusals(undefined, { argvPath: 'nope.yaml' })).toEqual([
      'nope.yaml  the file /srv/nope.yaml does not exist',
    ])
    expect(await refusals(undefined, { env: { TOKEN_BROKER_CONFIG: '/nope.yaml' } })).toEqual([
      '/nope.yaml  the file /nope.yaml does not exist',
    ])
  })

  it('refuses a file that is too large or not UTF-8', async () => {
    expect(await refusals('#'.repeat(1024 * 1024 + 1))).toEqual([
      'broker.yaml  the file /srv/broker.yaml is larger than 1024 KiB',
    ])
    expect(await refusals(undefined, { files: { '/srv/broker.yaml': Uint8Array.of(0x61, 0xff) } })).toEqual([
      'broker.yaml  the file /srv/broker.yaml is not UTF-8 text',
    ])
  })
})

describe('loadConfig() and change', () => {
  it('answers something that is frozen all the way down', async () => {
    const config = await load(FULL, WORLD)
    const open: string[] = []
    const look = (value: unknown, path: string) => {
      if (typeof value !== 'object' || value === null) return
      if (!Object.isFrozen(value)) open.push(path)
      const inner = value instanceof Map ? [...value] : Object.entries(value)
      for (const [key, below] of inner) look(below, `${path}.${key}`)
    }
    look(config, 'config')
    expect(open).toEqual([])
  })

  it('has a map of providers that cannot be changed', async () => {
    const providers = (await load(FULL, WORLD)).providers as Map<string, unknown>
    expect(() => providers.set('x', {})).toThrow('frozen')
    expect(() => providers.delete('acme')).toThrow('frozen')
    expect(() => providers.clear()).toThrow('frozen')
    expect(providers.size).toBe(3)
  })
})
