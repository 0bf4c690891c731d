import { describe, expect, inject, it } from 'vitest'
import type { Form } from './forms.ts'
import { explainSeed, runSeed, type SeedResult } from './run-seed.ts'

const SEEDS: Readonly<Record<Form, number>> = { short: 30, middle: 2_000, full: 100_000 }
/** Seconds on an idle machine; the others have the limit of their configuration. */
const SHORT_TIMEOUT_MS = 60_000
/** How many failures are looked for before a run gives up. */
const FAILURES_MAX = 10

describe('the refresh protocol', () => {
  const { form, seed, first = 1 } = inject('simulation') ?? { form: 'short' }

  if (seed !== undefined) {
    it(`keeps its promises in seed ${seed}`, async () => {
      process.stdout.write(`${await explainSeed(seed)}\n`)
      expect((await runSeed(seed)).failure).toBeUndefined()
    })
    return
  }

  it(
    `keeps its promises in the seeds from ${first} to ${first + SEEDS[form] - 1}`,
    async () => {
      const results = await runSeeds(first, SEEDS[form])
      if (form !== 'short') process.stdout.write(`${summary(results)}\n`)
      const failed = results.filter(({ failure }) => failure !== undefined)
      const list = failed.map(result => `SEED=${result.seed} ${result.failure}`).join('\n')
      const told = failed[0] === undefined ? '' : await explainSeed(failed[0].seed)
      expect(failed.length, `${list}\n${told}`).toBe(0)
      // A simulation in which nothing happens proves nothing.
      expect(results.reduce((sum, { tally }) => sum + tally.refreshes, 0)).toBeGreaterThan(SEEDS[form])
    },
    form === 'short' ? SHORT_TIMEOUT_MS : undefined,
  )

  it('does the same again for the same seed', async () => {
    const [one, again] = [await explainSeed(first), await explainSeed(first)]
    expect(one).toBe(again)
  })
})

async function runSeeds(first: number, count: number): Promise<SeedResult[]> {
  const results: SeedResult[] = []
  let failures = 0
  for (let seed = first; seed < first + count && failures < FAILURES_MAX; seed++) {
    const result = await runSeed(seed)
    results.push(result)
    if (result.failure === undefined) continue
    failures++
    // The full form takes an hour: whoever waits for it can begin with the first failure.
    process.stdout.write(`SEED=${seed} ${result.failure}\n`)
  }
  return results
}

function summary(results: readonly SeedResult[]): string {
  const total = (count: (result: SeedResult) => number) =>
    results.reduce((sum, result) => sum + count(result), 0)
  const seedsOf = (count: (result: SeedResult) => number) => results.filter(one => count(one) > 0).length
  const raced = ({ tally }: SeedResult) => tally.racedDisconnects
  const burst = results.reduce((most, { tally }) => Math.max(most, tally.burst), 0)
  return [
    `${results.length} seeds`,
    `${total(({ tally }) => tally.refreshes)} requests with a refresh token`,
    `${total(({ tally }) => tally.answers)} access tokens answered`,
    `${total(({ tally }) => tally.reportedLosses)} grants lost by servers that kill what they have not delivered, each reported`,
    `${total(({ tally }) => tally.staleSends)} requests sent after a pause had cost the lease`,
    `${total(({ tally }) => tally.leftAlive)} disconnected grants that live on, because the server has not delivered what would end them`,
    `${total(({ tally }) => tally.disconnects)} disconnects, ${total(raced)} of them during a refresh (in ${seedsOf(raced)} seeds)`,
    `at most ${burst} requests for one connection within 10 s`,
  ].join('; ')
}
