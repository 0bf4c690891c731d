import { resolve } from 'node:path'
import type { Config } from '../config/config.ts'
import { loadDataConfig } from '../config/data.ts'
import { type ConfigParts, completeConfig } from '../config/load.ts'
import { namedFiles } from '../config/named-files.ts'
import { ConfigError } from '../config/problem.ts'
import { systemConfigParts } from '../config/system.ts'
import { readWritten, type Written } from '../config/written.ts'
import { createHttp } from '../egress/undici-http.ts'
import { examineConfiguration, examineProblems } from './doctor-configuration.ts'
import { examineData, examineOperatorToken } from './doctor-files.ts'
import { AREAS, type Finding } from './doctor-finding.ts'
import { examineIssuers } from './doctor-issuers.ts'
import { examineLimits, LIMITS, limitText } from './doctor-limits.ts'
import { examineNamedFiles } from './doctor-named-files.ts'
import { examineProcess, processFacts } from './doctor-process.ts'
import { examineProgram } from './doctor-program.ts'
import { examineProviders } from './doctor-providers.ts'
import { examineStore } from './doctor-store.ts'
import { EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { counted, plain, print, printJson, type Style, styleFor, table } from './output.ts'

export interface DoctorOptions {
  /** Undefined = what `serve` would take. */
  readonly config?: string
  /** Asks no provider. Default: asks each whether it is there. */
  readonly offline?: boolean
  readonly json?: boolean
}

/** Milliseconds for one probe; a provider that takes longer is as good as down for a person who waits. */
const PROBE_MS_MAX = 10_000

/**
 * Looks at everything that a broker with this configuration rests on, without a running one, and changes nothing:
 * secrets are read as `serve` would read them, the providers are asked whether they are there, and the issuers of callers
 * for their keys.
 *
 * @returns 0 if there is no problem, 1 if there is one
 */
export async function doctor(options: DoctorOptions, io: Io): Promise<number> {
  const parts = { ...systemConfigParts(options.config), env: io.env }
  const findings = [
    ...examineProgram(),
    ...examineProcess(processFacts(io.env)),
    ...(await examineInstallation(parts, options.offline ?? false, io)),
  ]
  const isHealthy = findings.every(({ level }) => level !== 'problem')
  if (options.json) printJson(io, { healthy: isHealthy, findings, limits: LIMITS })
  else print(io, ...report(findings, styleFor(io.stdout, io.env)))
  return isHealthy ? EXIT.ok : EXIT.negative
}

/** A configuration that cannot be served may still say where the data is. */
async function examineInstallation(parts: ConfigParts, isOffline: boolean, io: Io): Promise<Finding[]> {
  const written = await orProblems(() => readWritten(parts))
  if (Array.isArray(written)) return written
  const loaded = await orProblems(() => completeConfig(written, parts))
  const data = Array.isArray(loaded) ? await orProblems(() => loadDataConfig(parts)) : loaded
  const configured = Array.isArray(loaded) ? loaded : examineConfiguration(loaded, io.now())
  return [
    ...configured,
    ...(Array.isArray(data) ? [] : examineData(data)),
    ...examineFilesOf(written, parts),
    ...(Array.isArray(loaded) ? [] : examineOperatorToken(loaded, io.now())),
    ...(Array.isArray(data) ? [] : await examineStore(data, io.now())),
    ...(Array.isArray(loaded) ? [] : examineLimits(loaded)),
    ...(Array.isArray(loaded) || isOffline ? [] : await probe(loaded, io)),
  ]
}

function examineFilesOf(written: Written, { cwd }: ConfigParts): Finding[] {
  const { config, folder, file } = written
  return examineNamedFiles(namedFiles(written), {
    dataDir: resolve(folder, config.data_dir),
    configPath: file && resolve(cwd, file.name),
  })
}

async function orProblems<T>(load: () => Promise<T>): Promise<T | Finding[]> {
  try {
    return await load()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return examineProblems(error)
  }
}

async function probe(config: Config, io: Io): Promise<Finding[]> {
  const http = createHttp({ hardTimeoutMs: PROBE_MS_MAX })
  try {
    const [providers, issuers] = await Promise.all([
      examineProviders(config, http, io.now),
      examineIssuers(config.callers, http),
    ])
    return [...providers, ...issuers]
  } finally {
    await http.close()
  }
}

const TONES = { ok: 'good', warning: 'warning', problem: 'bad' } as const

function report(findings: readonly Finding[], style: Style): string[] {
  const areas = AREAS.filter(area => area === 'limits' || findings.some(finding => finding.area === area))
  return [
    ...areas.flatMap(area => [
      style('heading', area),
      ...findings.filter(finding => finding.area === area).flatMap(finding => linesOf(finding, style)),
      ...(area === 'limits' ? limitLines() : []),
      '',
    ]),
    summary(findings, style),
  ]
}

function linesOf({ level, what, advice }: Finding, style: Style): string[] {
  const line = `  ${style(TONES[level], level.padEnd('problem'.length))}  ${plain(what)}`
  return advice === undefined ? [line] : [line, `           ${plain(advice)}`]
}

function limitLines(): string[] {
  const rows = LIMITS.map(limit => [limit.on, limit.name, limitText(limit)])
  return table(['on', 'limit', 'value'], rows).map(line => `  ${line}`)
}

function summary(findings: readonly Finding[], style: Style): string {
  const count = (level: Finding['level']) => findings.filter(finding => finding.level === level).length
  const [problems, warnings] = [count('problem'), count('warning')]
  const text = `${counted(problems, 'problem')}, ${counted(warnings, 'warning')}`
  return style(problems > 0 ? 'bad' : warnings > 0 ? 'warning' : 'good', text)
}
