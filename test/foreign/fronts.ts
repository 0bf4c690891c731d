import type { Dialect } from './dialect.ts'
import { pinterestDialect } from './fronts/pinterest.ts'
import { squareDialect } from './fronts/square.ts'
import { tiktokBusinessDialect } from './fronts/tiktok-business.ts'
import { tiktokLoginDialect } from './fronts/tiktok-login.ts'

/** Every dialect that a built-in definition speaks. */
export const dialects: readonly Dialect[] = [
  pinterestDialect,
  tiktokBusinessDialect,
  tiktokLoginDialect,
  squareDialect,
]
