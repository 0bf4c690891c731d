import type { YamlDocument } from './document.ts'
import type { VariableOrigin } from './environment-layer.ts'
import { type ConfigPath, formatPath, type Problem } from './problem.ts'

const ENVIRONMENT = 'environment'

/** Makes a problem of a sentence about a path. */
export type Locate = (path: ConfigPath, message: string) => Problem

/**
 * Creates what finds the place of a problem: the variable that the value comes from, or else the line of the
 * file, or if the key is absent the line of what it belongs in.
 *
 * @param origins what comes from the environment
 * @param fileName absent if there is no file
 */
export function createLocate(
  origins: ReadonlyMap<string, VariableOrigin>,
  fileName?: string,
  yaml?: Pick<YamlDocument, 'placeOf'>,
): Locate {
  return (path, message) => {
    const origin = originOf(path, origins)
    if (origin !== undefined) return fromVariable(origin, message)
    if (fileName === undefined) return { origin: ENVIRONMENT, path: formatPath(path), message }
    return { origin: fileName, ...yaml?.placeOf(path), path: formatPath(path), message }
  }
}

function originOf(
  path: ConfigPath,
  origins: ReadonlyMap<string, VariableOrigin>,
): VariableOrigin | undefined {
  for (let length = path.length; length > 0; length--) {
    const origin = origins.get(formatPath(path.slice(0, length)))
    if (origin !== undefined) return origin
  }
  return undefined
}

function fromVariable({ variable, enabledBy }: VariableOrigin, message: string): Problem {
  const why = enabledBy === undefined ? '' : `; ${enabledBy} is set and makes it necessary`
  return { origin: ENVIRONMENT, path: variable, message: message + why }
}
