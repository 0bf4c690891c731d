import { describe, expect, it } from 'vitest'
import { load, refusals } from './world.ts'

const acme = (definition: string, more = '') => `providers:
  acme:
    definition: ${definition}
    client_id: x
${more}`

const meant = 'name it in allow_networks of the provider if that is meant'

describe('loadConfig() with an address of a provider', () => {
  it.each([
    ['{token_url: "https://10.0.0.7/token", client_auth: none}', 'token_url', '10.0.0.7', 'private'],
    ['{issuer: "https://169.254.169.254", client_auth: none}', 'issuer', '169.254.169.254', 'link-local'],
    ['{issuer: "https://[fd00::7]", client_auth: none}', 'issuer', 'fd00::7', 'unique local'],
    ['{issuer: "https://0x0a000007", client_auth: none}', 'issuer', '10.0.0.7', 'private'],
    ['{issuer: "http://[::ffff:127.0.0.1]", client_auth: none}', 'issuer', '::ffff:7f00:1', 'IPv4-mapped'],
  ])('refuses %s', async (definition, key, address, purpose) => {
    const [line, ...others] = await refusals(acme(definition))
    expect(line).toMatch(/^broker\.yaml:3:\d+ {2}/)
    expect(line).toContain(
      `providers.acme.definition.${key}: ${address} is not on the public internet (${purpose}); ${meant}`,
    )
    expect(others).toEqual([])
  })

  it('refuses endpoints_base inside the network', async () => {
    const base = '    endpoints_base: https://192.168.0.1/as\n'
    expect(await refusals(acme('{issuer: https://as.example, client_auth: none}', base))).toEqual([
      `broker.yaml:5:5  providers.acme.endpoints_base: 192.168.0.1 is not on the public internet (private); ${meant}`,
    ])
  })

  it.each([
    ['one of this machine', '{issuer: "http://127.0.0.1:9", client_auth: none}', ''],
    [
      'one that it allows',
      '{issuer: "https://10.0.0.7", client_auth: none}',
      '    allow_networks: [10.0.0.0/8]\n',
    ],
    // Browsers go there, and callers; the broker does not.
    [
      'one that only browsers open',
      '{authorize_url: "https://10.0.0.7/a", token_url: "https://as.example/t", client_auth: none}',
      '',
    ],
  ])('takes %s', async (_, definition, more) => {
    expect((await load(acme(definition, more))).providers.has('acme')).toBe(true)
  })

  it('refuses what is no range', async () => {
    const more = '    allow_networks: [10.0.0.0/8, internal]\n'
    expect(await refusals(acme('{issuer: https://as.example, client_auth: none}', more))).toEqual([
      'broker.yaml:5:34  providers.acme.allow_networks[1]: expected an IP address or a range such as 10.0.0.0/8',
    ])
  })

  it('hands the ranges on', async () => {
    const more = '    allow_networks: [10.0.0.0/8, "fd00::/8"]\n'
    const config = await load(acme('{issuer: https://as.example, client_auth: none}', more))
    expect(config.providers.get('acme')?.allowNetworks).toEqual(['10.0.0.0/8', 'fd00::/8'])
  })
})
