import { Metadata } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'
import { originOf } from '../../src/api/origin.ts'

describe('originOf()', () => {
  it.each([
    ['10.0.0.1:50123', '10.0.0.1:50123'],
    ['2001:db8::1:5012', '[2001:db8::1]:5012'],
    ['::ffff:10.0.0.1:50123', '[::ffff:10.0.0.1]:50123'],
    ['unknown', 'unknown'],
  ])('tells the address from the port: %s', (said, peer) => {
    expect(originOf(new Metadata(), () => said).peer).toBe(peer)
  })
})
