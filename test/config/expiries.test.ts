import { describe, expect, it } from 'vitest'
import { expiriesOf } from '../../src/config/expiries.ts'
import { fixture, load, sha256 } from './world.ts'

const RULES = 'allow: [{providers: [x], accounts: [""], methods: [GetStatus]}]'

describe('expiriesOf()', () => {
  it('finds every token and certificate that ends, the first one first', async () => {
    const config = await load(
      `listen: {grpc: [{address: 127.0.0.1:1, tls: {cert: c.pem, key: k.pem}}, {socket: s}]}
callers:
  - {name: a, token_sha256: ["${sha256(1)}", "${sha256(2)}"], expires: [2020-02-02, 2020-01-01], ${RULES}}
  - {name: b, token_sha256: "${sha256(3)}", expires: 2020-01-15, ${RULES}}
  - {name: c, token_sha256: "${sha256(4)}", ${RULES}}
`,
      { files: { '/srv/c.pem': fixture('cert.pem'), '/srv/k.pem': fixture('key.pem') } },
    )
    const expiries = expiriesOf(config)
    expect(expiries.map(({ what }) => what)).toEqual([
      'token 2 of the caller a',
      'the token of the caller b',
      'token 1 of the caller a',
      'the certificate of 127.0.0.1:1',
    ])
    expect(expiries[1]?.expiresAtMs).toBe(Date.UTC(2020, 0, 15))
    expect(expiries[0]?.advice).toContain('token-broker callers create a')
    expect(expiries[3]?.advice).toBe('put a new one into /srv/c.pem')
  })
})
