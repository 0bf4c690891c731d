import { readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Finding } from '../../src/cli/doctor-finding.ts'
import { openSealedStore } from '../../src/store/open-store.ts'
import { tempFolder } from '../temp-folder.ts'
import { NOW, runCli } from './run-cli.ts'

const SECRET = 'canary-client-secret-5d20'

/** Makes a folder with a configuration and, unless told otherwise, a store that was made some time ago. */
export async function home(yaml = '', { madeAt = NOW, hasStore = true } = {}) {
  const folder = tempFolder('doctor')
  const dataDir = join(folder, 'data')
  if (hasStore) {
    const path = join(dataDir, 'root.key')
    const rootKey = { kind: 'file', path, createIfMissing: true } as const
    await (await openSealedStore({ dataDir, rootKey, now: madeAt })).close()
    const made = new Date(madeAt)
    for (const name of readdirSync(dataDir)) utimesSync(join(dataDir, name), made, made)
  }
  const file = join(folder, 'broker.yaml')
  writeFileSync(file, `data_dir: ${dataDir}\n${yaml}`, { mode: 0o600 })
  return { folder, dataDir, file }
}

/** Lets the doctor look at a home, and checks that what it prints holds together and holds no secret. */
export async function examine({ file }: { readonly file: string }, ...argv: readonly string[]) {
  const env = { APP_SECRET: SECRET }
  const result = await runCli(['doctor', '--config', file, '--json', ...argv], { env })
  const { healthy, findings } = JSON.parse(result.stdout) as { healthy: boolean; findings: Finding[] }
  expect(result.exitCode).toBe(healthy ? 0 : 1)
  expect(healthy).toBe(findings.every(({ level }) => level !== 'problem'))
  expect(result.stdout + result.stderr).not.toContain(SECRET)
  const said = (level: Finding['level'], area?: Finding['area']) =>
    findings.filter(one => one.level === level && (area ?? one.area) === one.area)
  return { ...result, findings, said }
}
