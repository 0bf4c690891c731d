import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { builtIns } from '../../src/providers/built-ins.ts'
import { DefinitionError, resolveDefinition } from '../../src/providers/resolve.ts'

/** Files of the folder that are not definitions. */
const MACHINERY = ['built-ins', 'definition', 'duration', 'merge', 'provider', 'rebase', 'resolve']

describe('builtIns', () => {
  it('lists every definition of the folder', () => {
    const folder = resolve(import.meta.dirname, '../../src/providers')
    const files = readdirSync(folder).map(name => name.replace('.ts', ''))
    expect([...builtIns.keys()].sort()).toEqual(files.filter(name => !MACHINERY.includes(name)).sort())
  })

  it.each([...builtIns])('%s is complete in each of its environments', (id, written) => {
    const environments = ['production', ...Object.keys(written.environments ?? {})]
    for (const environment of environments) {
      const definition = resolveDefinition(id, id, environment)
      expect(definition.as_of).toBeDefined()
      expect(written.authorize?.pkce).toBeDefined()
      for (const operation of Object.values(definition.operations)) {
        expect(operation?.url).toMatch(/^https:\/\//)
      }
    }
  })
})

describe('resolveDefinition()', () => {
  it('expands the short form, which mixes with the long one', () => {
    const definition = resolveDefinition(
      {
        authorize_url: 'https://as.example/authorize',
        token_url: 'https://as.example/token',
        revoke_url: 'https://as.example/revoke',
        verify_url: 'https://as.example/me',
        scope_separator: ',',
        replay: 'single_use',
        authorize: { params: { prompt: 'consent' } },
      },
      'acme',
    )
    expect(definition).toMatchObject({
      id: 'acme',
      authorize: { url: 'https://as.example/authorize', scope_separator: ',', pkce: 's256' },
      operations: {
        refresh: { url: 'https://as.example/token', encoding: 'form' },
        verify: { method: 'GET', yields: { provider_account_id: '/sub' } },
      },
      refresh: { replay: 'single_use' },
    })
    expect(definition.authorize.params).toEqual({ prompt: 'consent' })
  })

  it('overrides any field of a built-in it extends', () => {
    const definition = resolveDefinition(
      { extends: 'pinterest', authorize: { scope_separator: ' ' }, refresh: { keep_alive: '7d' } },
      'pin-two',
    )
    expect(definition.authorize).toMatchObject({
      url: 'https://www.pinterest.com/oauth/',
      scope_separator: ' ',
    })
    expect(definition.refresh.keep_alive).toBe(7 * 86_400_000)
    expect(definition.errors).toHaveLength(builtIns.get('pinterest')?.errors?.length ?? 0)
  })

  it('applies an environment over production', () => {
    const definition = resolveDefinition('pinterest', 'pinterest', 'test')
    expect(definition.operations.exchange).toMatchObject({
      url: 'https://api-sandbox.pinterest.com/v5/oauth/token',
      params: { continuous_refresh: 'true' },
    })
    expect(definition.authorize.url).toBe('https://www.pinterest.com/oauth/')
  })

  it.each([
    ['an unknown built-in', 'nothing', 'no built-in definition "nothing"'],
    ['an unknown parent', { extends: 'nothing' }, 'no built-in definition "nothing"'],
    ['nowhere to exchange a code', {}, 'needs an issuer'],
    [
      'an operation to come',
      { token_url: 'https://a.example', operations: { upgrade: {} } },
      'not supported yet',
    ],
    [
      'a bad duration',
      { token_url: 'https://a.example', refresh: { window: '30 sec' } },
      'expected a duration',
    ],
    [
      'a bad pointer',
      { token_url: 'https://a.example', answer: { access_token: 'x' } },
      'expected a JSON pointer',
    ],
    [
      'a bad regular expression',
      { token_url: 'https://a.example', variables: { x: { matches: '(' } } },
      'regular',
    ],
  ])('refuses %s with a sentence', (_, written, sentence) => {
    expect(() => resolveDefinition(written, 'acme')).toThrow(DefinitionError)
    expect(() => resolveDefinition(written, 'acme')).toThrow(sentence)
  })

  it('refuses an environment that the definition does not have, naming those it has', () => {
    expect(() => resolveDefinition('pinterest', 'pinterest', 'staging')).toThrow('production, test')
  })
})
