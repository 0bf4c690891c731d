import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { FORCED_PER_CALLER_MAX, VERIFIED_PER_CALLER_MAX } from '../../src/broker/policy/caller-limit.ts'
import { METHODS, WHOLE_BROKER_METHODS } from '../../src/config/methods.ts'
import { withBuiltInRoles } from '../../src/config/roles.ts'
import { load, sha256 } from './world.ts'

const doc = readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8')

/** The methods that a row of the table of roles names, with those of the roles that it builds on. */
function documented(role: string): string[] {
  const row = doc.split('\n').find(line => line.startsWith(`| \`${role}\` |`)) ?? ''
  const cell = row.split('|')[2] ?? ''
  const names = [...cell.matchAll(/`([^`]+)`/g)].map(match => match[1] ?? '')
  return names.flatMap(name => (METHODS.includes(name) ? [name] : documented(name)))
}

describe('docs/policy.md', () => {
  it.each(['reader', 'operator', 'auditor'])('says what the role %s has', role => {
    expect(documented(role)).toEqual(withBuiltInRoles([]).get(role))
  })

  it('has a row for each built-in role', () => {
    for (const role of withBuiltInRoles([]).keys()) expect(doc).toContain(`| \`${role}\` |`)
  })

  it('names the calls about the whole broker, and the limits of forced refreshes and verifications', () => {
    expect(doc.replace(/\s+/g, ' ')).toContain(
      `(${WHOLE_BROKER_METHODS.map(name => `\`${name}\``).join(', ')}) need a rule`,
    )
    expect(doc).toContain(`${FORCED_PER_CALLER_MAX} a minute`)
    expect(doc).toContain(`${VERIFIED_PER_CALLER_MAX} a minute`)
  })

  it('has an example that loads', async () => {
    const [, file = ''] = /```yaml\n(# broker\.yaml\n[\s\S]*?)```/.exec(doc) ?? []
    const tls = 'listen: {grpc: [{address: "127.0.0.1:0", tls: {cert: c, key: k, client_ca: a}}]}\n'
    const problems = await load(`${tls}${file}`, { env: { ADS_SYNC_TOKEN_SHA256: sha256(1) } }).catch(
      error => error.message,
    )
    // Only the certificates are not there.
    expect(problems).not.toMatch(/roles|callers/)
  })
})
