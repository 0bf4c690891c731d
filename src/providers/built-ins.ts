import type { DefinitionInput } from './definition.ts'
import { pinterest } from './pinterest.ts'
import { square } from './square.ts'
import { tiktokBusiness } from './tiktok-business.ts'
import { tiktokLogin } from './tiktok-login.ts'

/** Every definition that ships with the broker, by id. A test fails if a file of this folder is missing here. */
export const builtIns: ReadonlyMap<string, DefinitionInput> = new Map(
  [pinterest, square, tiktokBusiness, tiktokLogin].map(definition => [definition.id, definition]),
)
