import type { DefinitionInput } from './definition.ts'
import { pinterest } from './pinterest.ts'

/** Every definition that ships with the broker, by id. A test fails if a file of this folder is missing here. */
export const builtIns: ReadonlyMap<string, DefinitionInput> = new Map(
  [pinterest].map(definition => [definition.id, definition]),
)
