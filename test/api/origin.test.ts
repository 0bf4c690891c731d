import { Metadata } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'
import { originOf } from '../../src/api/origin.ts'

describe('originOf()', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1:50123'],
    ['2001:db8::1', '[2001:db8::1]:50123'],
    ['::ffff:10.0.0.1', '[::ffff:10.0.0.1]:50123'],
    [undefined, 'unknown'],
  ])('tells the address from the port: %s', (remoteAddress, peer) => {
    expect(originOf(new Metadata(), { remoteAddress, remotePort: 50_123 }).peer).toBe(peer)
  })
})
