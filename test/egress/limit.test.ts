import { describe, expect, it } from 'vitest'
import type { Http, HttpRequest, HttpResponse } from '../../src/egress/http.ts'
import { limitHttp } from '../../src/egress/limit.ts'
import { Secret } from '../../src/secret.ts'
import { createFakeClock, settle } from '../broker/fake-clock.ts'

const request: HttpRequest = { method: 'POST', url: new Secret('https://as.example/'), headers: {} }
const response: HttpResponse = { status: 200, headers: {}, body: new Secret('') }

function limited(limits: { concurrency: number; perSecond: number }) {
  const clock = createFakeClock()
  const open: PromiseWithResolvers<HttpResponse>[] = []
  const http: Http = {
    close: async () => {},
    send: () => {
      const answer = Promise.withResolvers<HttpResponse>()
      open.push(answer)
      return answer.promise
    },
  }
  return { ...limitHttp(http, limits, clock), clock, open }
}

describe('limitHttp()', () => {
  it('has no more in flight than allowed, also after a failure', async () => {
    const { send, open } = limited({ concurrency: 2, perSecond: 1_000 })
    const sent = Array.from({ length: 4 }, () => send(request))
    await settle()
    expect(open).toHaveLength(2)
    open[0]?.reject(new Error('broken'))
    await expect(sent[0]).rejects.toThrow('broken')
    await settle()
    expect(open).toHaveLength(3)
    open[1]?.resolve(response)
    await settle()
    expect(open).toHaveLength(4)
  })

  it('starts a second\u2019s worth at once and spaces the rest', async () => {
    const { send, open, clock } = limited({ concurrency: 100, perSecond: 4 })
    for (let i = 0; i < 8; i++) void send(request)
    await settle()
    expect(open).toHaveLength(4)
    await clock.advance(249)
    expect(open).toHaveLength(4)
    await clock.advance(1)
    expect(open).toHaveLength(5)
    await clock.advance(750)
    expect(open).toHaveLength(8)
  })
})
