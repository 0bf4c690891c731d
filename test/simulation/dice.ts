import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

/** Seeded chance: the same seed throws the same dice in the same order. */
export interface Dice {
  /** Uniform in [0, 1). */
  fraction(): number
  /** Uniform whole number in [low, high]. */
  between(low: number, high: number): number
  chance(probability: number): boolean
  pick<T>(from: readonly T[]): T
  /** Picks by weight; weights need not add up to anything. */
  weighted<T extends string>(weights: Readonly<Partial<Record<T, number>>>): T
  shuffle<T>(items: readonly T[]): T[]
  /** Dice of their own, so that what one part draws does not move what another gets. */
  fork(): Dice
}

/** Creates the dice of a seed. */
export function createDice(seed: number): Dice {
  const generator = xoroshiro128plus(seed)
  const between = (low: number, high: number) => uniformInt(generator, low, high)
  const fraction = () => between(0, 0x3fff_ffff) / 0x4000_0000

  return {
    fraction,
    between,
    chance: probability => fraction() < probability,
    pick<T>(from: readonly T[]): T {
      return from[between(0, from.length - 1)] as T
    },
    weighted<T extends string>(weights: Readonly<Partial<Record<T, number>>>): T {
      const entries = Object.entries<number | undefined>(weights)
      let rest = fraction() * entries.reduce((sum, [, weight = 0]) => sum + weight, 0)
      for (const [name, weight = 0] of entries) {
        rest -= weight
        if (rest < 0) return name as T
      }
      return entries.at(-1)?.[0] as T
    },
    shuffle(items) {
      const left = [...items]
      return items.map(() => left.splice(between(0, left.length - 1), 1)[0] as (typeof left)[number])
    },
    fork: () => createDice(between(0, 0x7fff_ffff)),
  }
}
