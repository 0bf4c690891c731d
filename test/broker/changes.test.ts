import { describe, expect, it } from 'vitest'
import { createChanges } from '../../src/broker/changes.ts'
import { ACME, ZETA } from './watching.ts'

describe('createChanges()', () => {
  it('tells those who listen to the connection, and those who listen to all', () => {
    const changes = createChanges()
    const told: string[] = []
    changes.watch(ACME, () => told.push('acme'))
    changes.watch(ZETA, () => told.push('zeta'))
    changes.watchAll(({ account }) => told.push(`all of ${account}`))
    changes.publish(ZETA)
    expect(told).toEqual(['zeta', 'all of zeta'])
  })

  it('tells nobody who has stopped listening, once or twice, and the others still', () => {
    const changes = createChanges()
    const told: string[] = []
    const listener = () => void told.push('x')
    const end = changes.watch(ACME, listener)
    changes.watch(ACME, listener)
    const endAll = changes.watchAll(() => told.push('all'))
    end()
    end()
    endAll()
    changes.publish(ACME)
    expect(told).toEqual(['x'])
  })

  it('tells one who stops listening while it is told, and those after it', () => {
    const changes = createChanges()
    const told: string[] = []
    const end = changes.watch(ACME, () => {
      told.push('first')
      end()
    })
    changes.watch(ACME, () => told.push('second'))
    changes.publish(ACME)
    changes.publish(ACME)
    expect(told).toEqual(['first', 'second', 'second'])
  })
})
