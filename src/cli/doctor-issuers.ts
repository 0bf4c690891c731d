import { nameOfSource, readKeySet } from '../api/jwks.ts'
import type { CallerConfig, JwksSource } from '../config/config.ts'
import { readSystemFile } from '../config/system.ts'
import type { Http } from '../egress/http.ts'
import { type Finding, findingsIn } from './doctor-finding.ts'
import { readJwks } from './serve-jwks.ts'
import { systemClock } from './system-ports.ts'

const { ok, problem } = findingsIn('providers')

/** Reads the keys of every issuer of callers by the code with which `serve` reads them, within the same time. */
export function examineIssuers(callers: readonly CallerConfig[], http: Http): Promise<Finding[]> {
  return Promise.all(sourcesOf(callers).map(source => examineSource(source, http)))
}

async function examineSource(source: JwksSource, http: Http): Promise<Finding> {
  const who = `the keys of callers from ${nameOfSource(source)}`
  try {
    await readKeySet(() => readJwks(source, http, readSystemFile), systemClock)
    return ok(`${who} can be read`)
  } catch (error) {
    const advice = 'Correct jwt of these callers, or see to the issuer: until then serve refuses them.'
    return problem(`${who} cannot be read: ${(error as Error).message}`, advice)
  }
}

/** Each once, however many callers have it. */
function sourcesOf(callers: readonly CallerConfig[]): JwksSource[] {
  const sources = callers.flatMap(({ proof }) => (proof.kind === 'jwt' ? [proof.keys] : []))
  return [...new Map(sources.map(source => [JSON.stringify(source), source])).values()]
}
