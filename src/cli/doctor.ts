import type { Config } from '../config/config.ts'
import { readConfigFile } from '../config/config-file.ts'
import { loadDataConfig } from '../config/data.ts'
import { type ConfigParts, loadConfig } from '../config/load.ts'
import { ConfigError } from '../config/problem.ts'
import { systemConfigParts } from '../config/system.ts'
import { createHttp } from '../egress/undici-http.ts'
import { examineConfiguration, examineProblems } from './doctor-configuration.ts'
import { examineData, examineNamedFiles } from './doctor-files.ts'
import { AREAS, type Finding } from './doctor-finding.ts'
import { examineIssuers } from './doctor-issuers.ts'
import { examineLimits, LIMITS, type Limit } from './doctor-limits.ts'
import { examineProcess, processFacts } from './doctor-process.ts'
import { examineProgram } from './doctor-program.ts'
import { examineProviders } from './doctor-providers.ts'
import { examineStore } from './doctor-store.ts'
import { EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { plain, print, printJson, type Style, styleFor, table } from './output.ts'

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
  const loaded = await orProblems(() => loadConfig(parts))
  if (Array.isArray(loaded)) {
    const data = await orProblems(() => loadDataConfig(parts))
    if (Array.isArray(data)) return loaded
    return [...loaded, ...examineData(data), ...(await examineStore(data, io.now()))]
  }
  const config = loaded as Config
  const path = (await readConfigFile(parts))?.name
  return [
    ...examineConfiguration(config, io.now()),
    ...examineData(config),
    ...examineNamedFiles(config, path),
    ...(await examineStore(config, io.now())),
    ...examineLimits(config),
    ...(isOffline ? [] : await probe(config, io)),
  ]
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
  const rows = LIMITS.map(limit => [limit.on, limit.name, valueText(limit)])
  return table(['on', 'limit', 'value'], rows).map(line => `  ${line}`)
}

function valueText({ value, unit }: Limit): string {
  if (unit === 'ms') return `${value / 1_000} s`
  if (unit === 'bytes') return `${value / 1_024} KiB`
  return unit === '' ? String(value) : `${value} ${unit}`
}

function summary(findings: readonly Finding[], style: Style): string {
  const count = (level: Finding['level']) => findings.filter(finding => finding.level === level).length
  const [problems, warnings] = [count('problem'), count('warning')]
  const text = `${problems} ${problems === 1 ? 'problem' : 'problems'}, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`
  return style(problems > 0 ? 'bad' : warnings > 0 ? 'warning' : 'good', text)
}
