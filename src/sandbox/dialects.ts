import type { Dialect } from './dialect.ts'
import { oauth2 } from './dialects/oauth2.ts'
import { pinterest } from './dialects/pinterest.ts'

/** Every dialect that the sandbox speaks. A test fails if a built-in definition has none. */
export const dialects: readonly Dialect[] = [oauth2, pinterest]
