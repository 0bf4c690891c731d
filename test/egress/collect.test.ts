import type { Dispatcher } from 'undici'
import { describe, expect, it } from 'vitest'
import { collect } from '../../src/egress/collect.ts'

describe('collect()', () => {
  it('ends a request that starts after it was given up as not sent', async () => {
    const { handler, done, abort } = collect('as.example')
    abort('no connection')
    await expect(done).rejects.toMatchObject({ failure: 'not_sent' })
    let isAborted = false
    const abortLate = () => {
      isAborted = true
    }
    handler.onRequestStart?.({ abort: abortLate } as unknown as Dispatcher.DispatchController, {})
    expect(isAborted).toBe(true)
  })
})
