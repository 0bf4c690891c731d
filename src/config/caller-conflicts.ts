import { isDeepStrictEqual } from 'node:util'
import type { CallerConfig, JwtProof } from './config.ts'
import type { Report } from './problem.ts'
import { trustDomainOf } from './spiffe-id.ts'

/** A caller by its place in the list; undefined if it could not be read. */
type Callers = readonly (CallerConfig | undefined)[]

/** Checks that nobody can be taken for somebody else: names, tokens, identities and kinds of JWT are unique. */
export function checkCallers(
  written: readonly { readonly name: string }[],
  callers: Callers,
  report: Report,
): void {
  const names = written.map(({ name }, index) => ({ index, key: 'name', value: name }))
  refuseRepeated(names, report, (first, index) =>
    first === index ? '' : `is the name of callers[${first}] too`,
  )
  refuseRepeated(tokensOf(callers), report, (first, index) =>
    first === index
      ? 'is in this list twice'
      : `is the token of callers[${first}] too; each caller has its own`,
  )
  refuseRepeated(identitiesOf(callers), report, first => `is the identity of callers[${first}] too`)
  checkIssuers(callers, report)
}

interface Place {
  readonly index: number
  readonly key: string
  readonly value: string
}

function tokensOf(callers: Callers): Place[] {
  return callers.flatMap((caller, index) =>
    caller?.proof.kind === 'static_token'
      ? caller.proof.tokens.map(({ sha256 }) => ({ index, key: 'token_sha256', value: sha256 }))
      : [],
  )
}

function identitiesOf(callers: Callers): Place[] {
  return callers.flatMap((caller, index) => {
    if (caller?.proof.kind !== 'mtls') return []
    const { identity } = caller.proof
    return { index, key: identity.startsWith('dns:') ? 'dns' : 'spiffe', value: identity }
  })
}

function refuseRepeated(
  places: readonly Place[],
  report: Report,
  message: (first: number, index: number) => string,
): void {
  const seen = new Map<string, number>()
  for (const { index, key, value } of places) {
    const first = seen.get(value)
    if (first === undefined) seen.set(value, index)
    else report(['callers', index, key], message(first, index))
  }
}

/** Who may sign for an issuer is said in one way only, and no two callers take the very same tokens. */
function checkIssuers(callers: Callers, report: Report): void {
  const seen: { readonly index: number; readonly proof: JwtProof }[] = []
  for (const [index, caller] of callers.entries()) {
    if (caller?.proof.kind !== 'jwt') continue
    const { proof } = caller
    const sameIssuer = seen.find(other => issuerOf(other.proof) === issuerOf(proof))
    const same = seen.find(other => isDeepStrictEqual(other.proof, proof))
    if (sameIssuer !== undefined && !isDeepStrictEqual(sameIssuer.proof.keys, proof.keys)) {
      const key = proof.keys.kind === 'url' ? 'jwks_url' : 'jwks_file'
      const message = `callers[${sameIssuer.index}] reads the keys of this issuer otherwise; write the same for both`
      report(['callers', index, 'jwt', key], message)
    } else if (same !== undefined) {
      report(['callers', index, 'jwt'], `takes the same tokens as callers[${same.index}]`)
    }
    seen.push({ index, proof })
  }
}

/** By what a token says who issued it: `iss`, or for an SVID without one its trust domain. */
export function issuerOf({ issuer, subject }: Pick<JwtProof, 'issuer' | 'subject'>): string {
  return issuer ?? trustDomainOf(subject) ?? ''
}
