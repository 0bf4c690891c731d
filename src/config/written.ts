import { type Data, isData } from '../providers/merge.ts'
import { type ConfigFile, type ConfigFileParts, readConfigFile } from './config-file.ts'
import { readYaml, type YamlDocument } from './document.ts'
import { layEnvironment } from './environment-layer.ts'
import { createLocate, type Locate } from './locate.ts'
import { ConfigError, type Problem, type Report } from './problem.ts'
import { configSchema, type WrittenConfig } from './schema.ts'
import { checkShape } from './shape.ts'

/** The configuration as it is written, each value checked by itself; nothing that it names has been read. */
export interface Written {
  readonly config: WrittenConfig
  /** The same as plain data, with the environment laid over the file. */
  readonly data: Data
  /** Absent = there is none. */
  readonly file?: ConfigFile
  /** Absolute; relative paths of the file start here. */
  readonly folder: string
  readonly locate: Locate
}

/**
 * Reads the file and the environment.
 *
 * @param known answered again if the file still has the same text; the environment of a process does not change
 * @throws ConfigError with every mistake of the text as YAML, or else of each value by itself
 */
export async function readWritten(parts: ConfigFileParts, known?: Written): Promise<Written> {
  const file = await readConfigFile(parts)
  // Thousands of callers take a second to read.
  if (known !== undefined && known.file?.text === file?.text) return known
  const yaml = file && readYaml(file.text)
  const { data, origins } = layEnvironment(dataOf(file, yaml), parts.env, parts.cwd)
  const locate = createLocate(origins, file?.name, yaml)
  const shape = checkShape(configSchema, data)
  if ('misfits' in shape)
    throw new ConfigError(shape.misfits.map(({ path, message }) => locate(path, message)))
  return { config: shape.value, data, file, folder: file?.folder ?? parts.cwd, locate }
}

/**
 * Runs a step that reports what is wrong with what stands elsewhere, or with what must fit together.
 *
 * @throws ConfigError with all that was reported
 */
export async function orRefuse<T>(
  { locate }: Pick<Written, 'locate'>,
  step: (report: Report) => T | Promise<T>,
): Promise<T> {
  const problems: Problem[] = []
  const result = await step((path, message, mayPass = false) => {
    problems.push(mayPass ? { ...locate(path, message), mayPass } : locate(path, message))
  })
  if (problems.length > 0) throw new ConfigError(problems)
  return result
}

function dataOf(file: ConfigFile | undefined, yaml: YamlDocument | undefined): Data {
  if (file === undefined || yaml === undefined) return {}
  const refuse = (mistakes: YamlDocument['mistakes']) =>
    new ConfigError(mistakes.map(mistake => ({ origin: file.name, path: '', ...mistake })))
  if (yaml.mistakes.length > 0) throw refuse(yaml.mistakes)
  if (yaml.data === undefined) return {}
  if (!isData(yaml.data)) throw refuse([{ ...yaml.placeOf([]), message: 'expected a map of keys' }])
  return yaml.data
}
