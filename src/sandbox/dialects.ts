import type { Dialect } from './dialect.ts'
import { oauth2 } from './dialects/oauth2.ts'
import { pinterest } from './dialects/pinterest.ts'
import { square } from './dialects/square.ts'
import { tiktokBusiness } from './dialects/tiktok-business.ts'
import { tiktokLogin } from './dialects/tiktok-login.ts'

/** Every dialect that the sandbox speaks. A test fails if a built-in definition has none. */
export const dialects: readonly Dialect[] = [oauth2, pinterest, tiktokBusiness, tiktokLogin, square]
