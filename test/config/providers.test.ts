import { describe, expect, it } from 'vitest'
import { fixture, load, refusals } from './world.ts'

const WORLD = { env: { S: 'secret' } }

/** A whole file with one provider `a` of these keys, from line 3 on and indented by four. */
function provider(keys: string): string {
  return `providers:\n  a:\n    ${keys.trim().replaceAll('\n', '\n    ')}\n`
}

/** The same with a definition and a client, from line 6 on. */
function client(keys: string): string {
  return provider(`definition: {issuer: https://a.example}\nclient_id: x\nclient_secret: {env: S}\n${keys}`)
}

describe('loadConfig() with a provider key that is wrong', () => {
  it.each([
    ['an unknown key', 'clientid: x', 'clientid: unknown key; did you mean "client_id"?'],
    ['webhook_secret', 'webhook_secret: {env: S}', 'webhook_secret: not supported yet; remove it'],
    ['a scope of two', 'scopes: ["a b"]', 'scopes[0]: expected one scope, without spaces'],
    ['scopes as text', 'scopes: a', 'scopes: expected a list'],
    ['a scope twice', 'scopes: [a, b, a]', 'scopes[2]: stands twice in the list; remove one'],
    [
      'a scope that is too long',
      `scopes: [${'x'.repeat(257)}]`,
      'scopes[0]: expected at most 256 characters',
    ],
    [
      'a policy for scopes',
      'missing_scopes: refuze',
      'missing_scopes: expected report or refuse; did you mean "refuse"?',
    ],
    ['an unknown limit', 'limits: {per_sec: 1}', 'limits.per_sec: unknown key'],
    ['no requests at a time', 'limits: {concurrency: 0}', 'limits.concurrency: expected 1 or more'],
    ['half a request at a time', 'limits: {concurrency: 1.5}', 'limits.concurrency: expected a whole number'],
    ['too many a second', 'limits: {per_second: 10001}', 'limits.per_second: expected 10000 or less'],
    ['none a second', 'limits: {per_second: 0}', 'limits.per_second: expected 0.01 or more'],
    ['an environment', 'environment: tset', 'environment: no environment "tset"; there is production'],
    ['an undeclared variable', 'variables: {shop: x}', 'variables.shop: the definition has no such variable'],
    [
      'a number for a variable',
      'variables: {shop: 7}',
      'variables.shop: expected text; put the value in quotes',
    ],
    [
      'an insecure sandbox',
      'endpoints_base: http://sandbox:8087',
      'endpoints_base: must be https; plain http is only for localhost',
    ],
    ['an absent ca', 'ca: ca.pem', 'ca: the file /srv/ca.pem does not exist'],
    ['an unset variable', 'static_access_token: {env: E}', 'static_access_token: the variable E is not set'],
  ])('refuses %s', async (_, keys, line) => {
    const [first, ...more] = await refusals(client(keys), WORLD)
    expect(first?.replace(/^broker\.yaml:6:\d+ {2}/, '')).toBe(`providers.a.${line}`)
    expect(more).toEqual([])
  })

  it.each([['Acme'], ['1a'], ['a_b'], ['-a'], ['a'.repeat(64)], ['"a b"'], ['""']])(
    'refuses the id %s',
    async id => {
      const lines = await refusals(`providers:\n  ${id}: {client_id: x}\n`)
      expect(lines).toEqual([
        expect.stringMatching(
          /^broker\.yaml:2:3 {2}providers.*: expected an id of 1 to 63 lower-case letters, digits and hyphens, a letter first$/,
        ),
      ])
    },
  )

  it('accepts an id of 63 characters', async () => {
    const id = `a${'-'.repeat(61)}9`
    const config = await load(
      `providers: {${id}: {definition: {issuer: https://a.example, client_auth: none}, client_id: x}}`,
    )
    expect([...config.providers.keys()]).toEqual([id])
  })

  it.each([
    ['callback', 'expected a path such as /oauth/callback/acme: one / first, no query, nothing escaped'],
    [
      '//evil.example',
      'expected a path such as /oauth/callback/acme: one / first, no query, nothing escaped',
    ],
    ['/a?b=c', 'expected a path such as /oauth/callback/acme: one / first, no query, nothing escaped'],
    ['"/a#b"', 'expected a path such as /oauth/callback/acme: one / first, no query, nothing escaped'],
    ['/%63onnect/x', 'expected a path such as /oauth/callback/acme: one / first, no query, nothing escaped'],
    ['/a b', 'expected a path such as /oauth/callback/acme: one / first, no query, nothing escaped'],
    [
      `/${'a'.repeat(512)}`,
      'expected a path such as /oauth/callback/acme: one / first, no query, nothing escaped',
    ],
    ['/a/../connect', 'expected a path without . and .. as steps'],
    ['/./a', 'expected a path without . and .. as steps'],
    ['/connect', '/connect belongs to the consent pages; choose another path'],
    ['/connect/', '/connect belongs to the consent pages; choose another path'],
    ['/connect/acme', '/connect belongs to the consent pages; choose another path'],
  ])('refuses the redirect path %s', async (path, message) => {
    expect(await refusals(client(`redirect_path: ${path}`), WORLD)).toEqual([
      `broker.yaml:6:5  providers.a.redirect_path: ${message}`,
    ])
  })

  it.each([['/'], ['/connected'], ['/a.b/c-d_e~f'], ['/cb/']])('accepts the redirect path %s', async path => {
    const config = await load(client(`redirect_path: ${path}`), WORLD)
    expect(config.providers.get('a')?.redirectUri).toBe(`http://localhost:8085${path}`)
  })

  it('refuses a redirect path of two providers, one of them a default', async () => {
    const yaml = `${client('redirect_path: /oauth/callback/b')}  b: {definition: {issuer: https://b.example, client_auth: none}, client_id: x}\n`
    expect(await refusals(yaml, WORLD)).toEqual([
      'broker.yaml:7:3  providers.b.redirect_path: is the redirect path of a too; each provider has its own',
    ])
  })
})

describe('loadConfig() with a client', () => {
  const issuer = 'definition: {issuer: https://a.example}'

  it.each([
    [
      'nothing',
      issuer,
      '2:3  providers.a.client_id: is missing; a provider needs a client id, or at least a static access token',
    ],
    [
      'a secret without id',
      `${issuer}\nclient_secret: {env: S}`,
      '2:3  providers.a.client_id: is missing; a client secret goes with a client id',
    ],
    [
      'an id without secret',
      `${issuer}\nclient_id: x`,
      '2:3  providers.a.client_secret: is missing; without one the definition needs client_auth: none',
    ],
    ['an id without value', `${issuer}\nclient_id: ""`, '4:5  providers.a.client_id: is empty'],
    [
      'a number for an id',
      `${issuer}\nclient_id: 1234567`,
      '4:5  providers.a.client_id: expected text; put the value in quotes',
    ],
    [
      'an id from nowhere',
      `${issuer}\nclient_id: {env: NO}\nclient_secret: {env: S}`,
      '4:5  providers.a.client_id: the variable NO is not set',
    ],
  ])('refuses %s', async (_, keys, line) => {
    expect(await refusals(provider(keys), WORLD)).toEqual([`broker.yaml:${line}`])
  })

  it.each([
    ['basic', true],
    ['body', true],
    ['basic_secret_only', true],
    ['none', false],
    ['{header: {Authorization: "Client {client_secret}"}}', true],
    ['{header: {X-Client: "{client_id}"}}', false],
  ])('needs a secret where client_auth is %s: %s', async (clientAuth, isNeeded) => {
    const yaml = provider(`definition: {issuer: https://a.example, client_auth: ${clientAuth}}\nclient_id: x`)
    if (isNeeded) expect(await refusals(yaml)).toHaveLength(1)
    else expect((await load(yaml)).providers.get('a')?.clientSecrets).toEqual([])
  })

  it.each([
    [
      'an operation authenticates',
      '{exchange: {url: https://a.example/t}, revoke: {url: https://a.example/r, client_auth: body}}',
      true,
    ],
    [
      'a parameter carries it',
      '{exchange: {url: https://a.example/t, params: {s: "{client_secret}"}}}',
      true,
    ],
    ['none does', '{exchange: {url: https://a.example/t}}', false],
  ])('needs a secret beside client_auth none if %s', async (_, operations, isNeeded) => {
    const yaml = provider(`definition: {client_auth: none, operations: ${operations}}\nclient_id: x`)
    if (isNeeded) expect(await refusals(yaml)).toHaveLength(1)
    else await load(yaml)
  })

  it('needs no client for a static token', async () => {
    const loaded = (
      await load(provider('definition: pinterest\nstatic_access_token: {env: S}'), WORLD)
    ).providers.get('a')
    expect(loaded?.clientId).toBeUndefined()
    expect(loaded?.staticAccessToken?.expose()).toBe('secret')
  })
})

describe('loadConfig() with a definition', () => {
  it('takes the built-in one with the id of the provider', async () => {
    const config = await load('providers: {pinterest: {client_id: x, client_secret: {env: S}}}', WORLD)
    expect(config.providers.get('pinterest')?.definition.docs).toContain('developers.pinterest.com')
  })

  it('refuses an id that no built-in one has, at the key or at the provider', async () => {
    const wrong = /providers\.a\.definition: no built-in definition "(a|nope)"; there are .*pinterest/
    const [named] = await refusals(provider('definition: nope\nclient_id: x'))
    const [absent] = await refusals(provider('client_id: x'))
    expect(named).toMatch(wrong)
    expect(named).toMatch(/^broker\.yaml:3:5 /)
    expect(absent).toMatch(wrong)
    expect(absent).toMatch(/^broker\.yaml:2:3 /)
  })

  it.each([
    [
      'a list',
      '[x]',
      '5  providers.a.definition: expected the id of a built-in definition, or an inline one as a map',
    ],
    [
      'nothing to talk to',
      '{}',
      '5  providers.a.definition.token_url: needs an issuer, a token_url, or the long form with operations',
    ],
    [
      'an unknown key',
      '{issuer: https://a.example, autorize: {}}',
      '45  providers.a.definition.autorize: unknown key; did you mean "authorize"?',
    ],
    [
      'an unknown key below',
      '{issuer: https://a.example, refresh: {replays: same}}',
      '55  providers.a.definition.refresh.replays: unknown key; did you mean "replay"?',
    ],
    [
      'an unknown key in a list',
      '{issuer: https://a.example, errors: [{htttp: 1, class: retry}]}',
      '55  providers.a.definition.errors[0].htttp: unknown key; did you mean "http"?',
    ],
    [
      'a wrong word',
      '{issuer: https://a.example, authorize: {pkce: on}}',
      '57  providers.a.definition.authorize.pkce: expected off or s256',
    ],
    [
      'a wrong word of the short form',
      '{issuer: https://a.example, client_auth: basik}',
      '45  providers.a.definition.client_auth: expected basic or body or none or basic_secret_only; did you mean "basic"?',
    ],
    [
      'an unknown parent',
      '{extends: 7}',
      '18  providers.a.definition.extends: expected the id of a built-in',
    ],
    [
      'an issuer that is no URL',
      '{issuer: a.example}',
      '18  providers.a.definition.issuer: expected an absolute URL',
    ],
    [
      'a day that is none',
      '{issuer: https://a.example, as_of: yesterday}',
      '45  providers.a.definition.as_of: expected a date such as 2026-01-31',
    ],
    [
      'a bad pointer',
      '{issuer: https://a.example, root: data}',
      '45  providers.a.definition.root: expected a JSON pointer such as /data/access_token',
    ],
  ])('refuses %s', async (_, definition, line) => {
    expect(
      await refusals(provider(`definition: ${definition}\nclient_id: x\nclient_secret: {env: S}`), WORLD),
    ).toEqual([`broker.yaml:3:${line}`])
  })

  it('reports every mistake of it', async () => {
    const yaml = provider(
      'definition:\n  issuer: https://a.example\n  zzz: 1\n  present: {heder: x}\nclient_id: x',
    )
    expect(await refusals(yaml)).toEqual([
      'broker.yaml:5:7  providers.a.definition.zzz: unknown key',
      'broker.yaml:6:17  providers.a.definition.present.heder: unknown key; did you mean "header"?',
    ])
  })

  it('names the line of the environment that is wrong', async () => {
    const yaml = provider(`definition:
  issuer: https://a.example
  authorize: {pkce: off}
  environments:
    test: {authorize: {pkce: on}}
environment: test
client_id: x`)
    expect(await refusals(yaml)).toEqual([
      'broker.yaml:7:28  providers.a.definition.environments.test.authorize.pkce: expected off or s256',
    ])
  })

  const insecure = 'must be https; plain http is only for localhost'
  it.each([
    ['issuer', '{issuer: http://a.example}', '18  providers.a.definition.issuer'],
    ['token_url', '{token_url: http://a.example/t}', '18  providers.a.definition.token_url'],
    [
      'authorize_url',
      '{token_url: https://a.example/t, authorize_url: http://a.example}',
      '50  providers.a.definition.authorize_url',
    ],
    [
      'revoke_url',
      '{token_url: https://a.example/t, revoke_url: http://a.example}',
      '50  providers.a.definition.revoke_url',
    ],
    [
      'verify_url',
      '{token_url: https://a.example/t, verify_url: http://a.example}',
      '50  providers.a.definition.verify_url',
    ],
    [
      'an operation',
      '{operations: {exchange: {url: http://a.example}}}',
      '42  providers.a.definition.operations.exchange.url',
    ],
    [
      'base_url',
      '{token_url: https://a.example/t, present: {base_url: http://a.example}}',
      '60  providers.a.definition.present.base_url',
    ],
    [
      'a URL with a variable',
      '{token_url: "http://{shop}.example/t"}',
      '18  providers.a.definition.token_url',
    ],
  ])('refuses plain http in %s', async (_, definition, place) => {
    expect(
      await refusals(provider(`definition: ${definition}\nclient_id: x\nclient_secret: {env: S}`), WORLD),
    ).toEqual([`broker.yaml:3:${place}: ${insecure}`])
  })

  it.each([
    ['{token_url: "http://127.0.0.1:8087/t"}'],
    ['{token_url: "http://[::1]:8087/t"}'],
    ['{token_url: "https://{shop}.example/t"}'],
    ['{token_url: "https://a.example/t", revoke_url: "{instance_url}/revoke"}'],
  ])('accepts %s', async definition => {
    await load(provider(`definition: ${definition}\nclient_id: x\nclient_secret: {env: S}`), WORLD)
  })

  it('refuses a scope that is a list of its own', async () => {
    const yaml =
      'providers: {pinterest: {client_id: x, client_secret: {env: S}, scopes: ["ads:read,boards:read"]}}'
    expect(await refusals(yaml, WORLD)).toEqual([
      'broker.yaml:1:73  providers.pinterest.scopes[0]: holds ",", which stands between scopes; write one item for each',
    ])
  })

  it('takes its policy for missing scopes unless the provider has one', async () => {
    const strict =
      'definition: {issuer: https://a.example, client_auth: none, missing_scopes: refuse}\nclient_id: x'
    expect((await load(provider(strict))).providers.get('a')?.missingScopes).toBe('refuse')
    const own = await load(provider(`${strict}\nmissing_scopes: report`))
    expect(own.providers.get('a')?.missingScopes).toBe('report')
  })
})

describe('loadConfig() with variables of a definition', () => {
  const shop = (value: string) =>
    provider(`definition: {token_url: "https://{shop}/t", client_auth: none, variables: {shop: {matches: "a|[a-z]+[.]example"}}}
client_id: x
variables: {${value}}`)

  it.each([['toys.example'], ['a']])('accepts %s', async value => {
    expect((await load(shop(`shop: ${value}`))).providers.get('a')?.variables).toEqual({ shop: value })
  })

  it.each([['toys.example/evil'], ['x.a'], ['ab'], ['"evil.com/toys.example"'], ['""']])(
    'refuses %s, which matches only in part',
    async value => {
      expect(await refusals(shop(`shop: ${value}`))).toEqual([
        'broker.yaml:5:17  providers.a.variables.shop: does not match a|[a-z]+[.]example',
      ])
    },
  )

  it('refuses a name that is not declared', async () => {
    expect(await refusals(shop('shpo: a'))).toEqual([
      'broker.yaml:5:17  providers.a.variables.shpo: the definition has no such variable; did you mean "shop"?',
    ])
    expect(await refusals(shop('toString: a'))).toEqual([
      'broker.yaml:5:17  providers.a.variables.toString: the definition has no such variable',
    ])
  })
})

describe('loadConfig() with a provider that sends browsers to https only', () => {
  const strict = (keys: string) =>
    provider(
      `definition: {token_url: "https://a.example/t", client_auth: none, authorize: {redirect_https_required: true}}\n${keys}`,
    )

  it('refuses a public_url of plain http', async () => {
    expect(await refusals(strict('client_id: x'))).toEqual([
      'broker.yaml:2:3  providers.a: sends browsers back to https addresses only, and public_url makes it http://localhost:8085/oauth/callback/a',
    ])
  })

  it.each([
    ['of a public_url of https', 'client_id: x', 'public_url: https://b.example\n'],
    ['of endpoints_base', 'client_id: x\nendpoints_base: http://127.0.0.1:8087', ''],
    ['it has only a static token', 'static_access_token: {env: S}', ''],
  ])('accepts it because %s', async (_, keys, before) => {
    await load(before + strict(keys), WORLD)
  })

  it('accepts it for client credentials, which need no browser', async () => {
    const yaml = provider(`definition:
  token_url: https://a.example/t
  client_auth: none
  authorize: {redirect_https_required: true}
  refresh: {mode: client_credentials}
client_id: x`)
    await load(yaml)
  })
})

describe('loadConfig() with a provider that limits the length of redirect addresses', () => {
  const PATH_MAX = 400
  const base = (length: number) => `https://b.example/${'p'.repeat(length - 'https://b.example/'.length)}`
  const publicUrl = (length: number) => `public_url: ${base(length)}\n`
  const limited = (keys: string) =>
    provider(
      `definition: {token_url: "https://a.example/t", client_auth: none, authorize: {redirect_length_max: 511}}\n${keys}`,
    )
  const path = `/${'a'.repeat(PATH_MAX - 1)}`

  it.each([
    [
      'one that is written',
      `client_id: x\nredirect_path: ${path}`,
      PATH_MAX,
      '6:5  providers.a.redirect_path',
    ],
    ['the default', 'client_id: x', '/oauth/callback/a'.length, '3:3  providers.a'],
    [
      'one before a sandbox',
      `client_id: x\nredirect_path: ${path}\nendpoints_base: http://127.0.0.1:8087`,
      PATH_MAX,
      '6:5  providers.a.redirect_path',
    ],
  ])('refuses 512 characters with %s, and takes 511', async (_, keys, pathLength, place) => {
    expect(await refusals(publicUrl(512 - pathLength) + limited(keys))).toEqual([
      `broker.yaml:${place}: makes a redirect address of 512 characters with public_url; the provider takes at most 511`,
    ])
    const { providers } = await load(publicUrl(511 - pathLength) + limited(keys))
    expect(providers.get('a')?.redirectUri).toHaveLength(511)
  })

  it.each([
    ['it has only a static token', 'static_access_token: {env: S}'],
    ['the definition has no limit', 'definition: pinterest\nclient_id: x\nclient_secret: {env: S}'],
  ])('accepts any because %s', async (_, keys) => {
    const yaml = keys.startsWith('definition') ? provider(keys) : limited(keys)
    await load(publicUrl(600) + yaml, WORLD)
  })

  it('knows the rules of TikTok Login Kit: https, and less than 512 characters', async () => {
    const login = 'definition: tiktok-login\nclient_id: x\nclient_secret: {env: S}'
    expect(await refusals(provider(login), WORLD)).toEqual([
      expect.stringMatching(/^broker\.yaml:2:3 {2}providers\.a: sends browsers back to https addresses only/),
    ])
    expect(await refusals(publicUrl(512 - '/oauth/callback/a'.length) + provider(login), WORLD)).toEqual([
      expect.stringMatching(/^broker\.yaml:3:3 {2}providers\.a: .*of 512 characters .*takes at most 511$/),
    ])
    await load(publicUrl(511 - '/oauth/callback/a'.length) + provider(login), WORLD)
  })
})

describe('loadConfig() with ca', () => {
  it('takes a file or the text itself', async () => {
    const pem = fixture('cert.pem')
    const file = await load(client('ca: ca.pem'), { ...WORLD, files: { '/srv/ca.pem': pem } })
    const inline = await load(client(`ca: |\n  ${pem.trim().replaceAll('\n', '\n  ')}`), WORLD)
    expect(file.providers.get('a')?.ca).toBe(pem)
    expect(inline.providers.get('a')?.ca).toBe(pem)
  })

  it.each([
    ['a key', fixture('key.pem')],
    ['a damaged certificate', fixture('cert.pem').replace(/M/g, 'N')],
    ['nothing', ''],
    ['one good and one damaged', fixture('cert.pem') + fixture('cert.pem').replace(/M/g, 'N')],
  ])('refuses %s', async (_, pem) => {
    expect(await refusals(client('ca: ca.pem'), { ...WORLD, files: { '/srv/ca.pem': pem } })).toEqual([
      'broker.yaml:6:5  providers.a.ca: expected certificates as PEM, or the path of a file of them',
    ])
  })
})
