import { expect, it } from 'vitest'
import { settle } from './fake-clock.ts'
import { createWorld } from './world.ts'

const HOUR = 3_600_000

it('a stop waits for the refresh that was sent, and sends none that only waits for its turn', async () => {
  const limits = { concurrency: 1, perSecond: 100 }
  const { connect, token, broker, clock, server } = await createWorld({ provider: { limits } })
  await connect()
  await connect({ account: 'bob' })
  await clock.advance(HOUR)
  const answer = Promise.withResolvers<void>()
  server.script.push(answer.promise)
  const sent = token()
  const queued = token({ account: 'bob' })
  await settle()
  const before = server.http.sent.length
  const stopped = broker.stop()
  answer.resolve()
  await stopped
  expect(await Promise.all([sent, queued])).toEqual([expect.stringMatching(/^at-/), 'PROVIDER_UNAVAILABLE'])
  expect(server.http.sent).toHaveLength(before)
})
