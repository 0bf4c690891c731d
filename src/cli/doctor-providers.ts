import type { Config } from '../config/config.ts'
import { type Http, HttpError, type HttpOptions, type HttpResponse } from '../egress/http.ts'
import { connectionOptions } from '../oauth/connection-options.ts'
import { createDefinitionSource } from '../oauth/discovery.ts'
import type { Definition } from '../providers/definition.ts'
import type { Provider } from '../providers/provider.ts'
import { Secret } from '../secret.ts'
import { type Finding, findingsIn } from './doctor-finding.ts'
import { formatDuration } from './time.ts'

const { ok, warning, problem } = findingsIn('providers')
const clockFindings = findingsIn('clock')

/** Milliseconds by which another clock may differ: its header counts seconds, and was some on the way. */
const SKEW_MS_WARNING = 30_000
/** From here on tokens are used after their end, and signed ones are refused as too new. */
const SKEW_MS_MAX = 300_000

/** What a probe brought. */
interface Probe {
  readonly findings: readonly Finding[]
  /** Milliseconds since the epoch that the other side's clock says. */
  readonly remoteMs?: number
}

/**
 * Asks every server that the broker will ask whether it is there: its name, its address, its certificate, its metadata.
 * Nothing secret is sent, and no token endpoint is called: only the root of its server.
 */
export async function examineProviders(config: Config, http: Http, now: () => number): Promise<Finding[]> {
  const probes = await Promise.all(
    [...config.providers.values()].map(provider => probeProvider(provider, http, now)),
  )
  const found = probes.flatMap(({ findings }) => findings)
  return [...found, ...examineClock(probes, now())]
}

async function probeProvider(provider: Provider, http: Http, now: () => number): Promise<Probe> {
  const source = createDefinitionSource(provider, http, now)
  const definition = await source.get()
  if (!definition.ok) {
    const { class: kind, message } = definition.failure
    const advice =
      kind === 'client'
        ? 'Correct the definition.'
        : 'See whether the name, the network and the certificate are right.'
    return { findings: [problem(`${provider.id}: ${message}`, advice)] }
  }
  const options = connectionOptions(provider, source.written)
  const origins = originsOf(definition.value, provider)
  if (origins.length === 0) {
    return { findings: [ok(`${provider.id}: its servers differ by connection, or it has none`)] }
  }
  const probes = await Promise.all(
    origins.map(origin => probeServer(provider.id, `${origin}/`, options, http)),
  )
  return { findings: probes.flatMap(({ findings }) => findings), remoteMs: probes[0]?.remoteMs }
}

/** The servers that operations are sent to, except those that only a connection's variables name. */
function originsOf({ operations }: Definition, { variables }: Provider): string[] {
  const urls = Object.values(operations).flatMap(operation => operation?.url ?? [])
  const filled = urls.map(url => url.replaceAll(/\{(\w+)\}/g, (all, name: string) => variables[name] ?? all))
  const known = filled.filter(url => !/^[^/]*\/\/[^/]*\{/.test(url) && URL.canParse(url))
  return [...new Set(known.map(url => new URL(url).origin))]
}

async function probeServer(who: string, url: string, options: HttpOptions, http: Http): Promise<Probe> {
  const { host } = new URL(url)
  try {
    const answer = await http.send({ method: 'GET', url: new Secret(url), headers: {} }, options)
    const isDown = answer.status >= 500
    const finding = isDown
      ? warning(
          `${who}: ${host} answers with status ${answer.status}`,
          'It may be down; calls wait and are tried again.',
        )
      : ok(`${who}: ${host} answers`)
    return { findings: [finding], remoteMs: dateOf(answer) }
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    // It was reached: its front page is larger than any answer that is read.
    if (error.failure === 'too_large') return { findings: [ok(`${who}: ${host} answers`)] }
    return {
      findings: [
        problem(
          `${who}: ${error.message}`,
          'See whether the name, the network and the certificate are right.',
        ),
      ],
    }
  }
}

function dateOf({ headers }: HttpResponse): number | undefined {
  const remoteMs = Date.parse(headers.date ?? '')
  return Number.isNaN(remoteMs) ? undefined : remoteMs
}

/** One server may have a wrong clock; the one in the middle hardly. */
function examineClock(probes: readonly Probe[], now: number): Finding[] {
  const remote = probes.flatMap(({ remoteMs }) => remoteMs ?? []).sort((a, b) => a - b)
  const middle = remote[Math.floor(remote.length / 2)]
  if (middle === undefined) return []
  const skew = now - middle
  const what = `this machine's clock is ${formatDuration(Math.abs(skew))} ${skew > 0 ? 'ahead of' : 'behind'} that of the providers`
  const advice = 'Set the clock, and keep it right with NTP.'
  if (Math.abs(skew) > SKEW_MS_MAX) return [clockFindings.problem(what, advice)]
  if (Math.abs(skew) > SKEW_MS_WARNING) return [clockFindings.warning(what, advice)]
  return [clockFindings.ok('this machine and the providers agree what time it is')]
}
