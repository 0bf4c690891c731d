import { describe, expect, it } from 'vitest'
import { clientSettings } from '../../src/config/client.ts'

describe('clientSettings()', () => {
  it('has defaults that fit a broker started in the same folder', () => {
    expect(clientSettings({})).toEqual({ address: '127.0.0.1:50051', tokenFile: 'data/operator.token' })
  })

  it('takes every variable, and paths as they are', () => {
    const env = {
      TOKEN_BROKER_ADDRESS: 'broker.example:443',
      TOKEN_BROKER_TOKEN_FILE: 't',
      TOKEN_BROKER_CA_FILE: 'ca.pem',
      TOKEN_BROKER_CERT_FILE: 'cert.pem',
      TOKEN_BROKER_KEY_FILE: 'key.pem',
    }
    expect(clientSettings(env)).toEqual({
      address: 'broker.example:443',
      tokenFile: 't',
      caFile: 'ca.pem',
      certFile: 'cert.pem',
      keyFile: 'key.pem',
    })
  })

  it('finds the token in the data directory, unless a file is named', () => {
    const env = { TOKEN_BROKER_DATA_DIR: '/var/lib/token-broker' }
    expect(clientSettings(env).tokenFile).toBe('/var/lib/token-broker/operator.token')
    expect(clientSettings({ ...env, TOKEN_BROKER_TOKEN_FILE: '/t' }).tokenFile).toBe('/t')
  })

  it('need no token where a certificate says who calls', () => {
    const env = { TOKEN_BROKER_CERT_FILE: 'c', TOKEN_BROKER_KEY_FILE: 'k' }
    expect(clientSettings(env).tokenFile).toBeUndefined()
    expect(clientSettings({ ...env, TOKEN_BROKER_TOKEN_FILE: 't' }).tokenFile).toBe('t')
  })

  it('takes a variable that is set to nothing as unset', () => {
    const env = { TOKEN_BROKER_ADDRESS: '', TOKEN_BROKER_TOKEN_FILE: '', TOKEN_BROKER_CERT_FILE: '' }
    expect(clientSettings(env)).toEqual(clientSettings({}))
  })

  it.each([['[::1]:50051'], ['unix:/run/token-broker.sock']])('accepts the address %s', address => {
    expect(clientSettings({ TOKEN_BROKER_ADDRESS: address }).address).toBe(address)
  })

  it.each([
    [
      { TOKEN_BROKER_ADDRESS: 'https://broker.example' },
      'environment  TOKEN_BROKER_ADDRESS: expected an address such as 127.0.0.1:8085 or [::1]:8085',
    ],
    [
      { TOKEN_BROKER_ADDRESS: '50051' },
      'environment  TOKEN_BROKER_ADDRESS: expected an address such as 127.0.0.1:8085 or [::1]:8085',
    ],
    [
      { TOKEN_BROKER_CERT_FILE: 'c' },
      'environment  TOKEN_BROKER_KEY_FILE: is missing; TOKEN_BROKER_CERT_FILE is set, and they go together',
    ],
    [
      { TOKEN_BROKER_KEY_FILE: 'k' },
      'environment  TOKEN_BROKER_CERT_FILE: is missing; TOKEN_BROKER_KEY_FILE is set, and they go together',
    ],
  ])('refuses %j', (env, message) => {
    expect(() => clientSettings(env)).toThrow(message)
  })
})
