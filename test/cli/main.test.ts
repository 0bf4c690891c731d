import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { runProcess } from './run-process.ts'

const root = new URL('../../', import.meta.url)
const { engines, version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))

/** Makes the program believe that it runs on that version. */
function pretend(node: string): string {
  return `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${node}' } })`
}

describe('main', () => {
  it.each(['12.22.12', '20.20.2', '22.18.9'])(
    'on Node %s says in one line what to do, exit 78',
    async node => {
      const result = await runProcess(['--version'], { preload: pretend(node) })
      expect(result).toMatchObject({ exitCode: 78, stdout: '' })
      expect(result.stderr).toMatch(
        /^token-broker needs Node\.js 22\.19 or newer and found [\d.]+: .*npm ci.*npm run.*\n$/,
      )
      expect(result.stderr).toContain(node)
    },
  )

  it.each(['22.19.0', '23.0.0', '100.0.0'])('runs on Node %s', async node => {
    const result = await runProcess(['--version'], { preload: pretend(node) })
    expect(result).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('asks for the version that package.json asks for', async () => {
    const { stderr } = await runProcess([], { preload: pretend('0.0.0') })
    expect(engines.node).toBe(`>=${/Node\.js (\S+) or newer/.exec(stderr)?.[1]}`)
  })

  it('imports nothing before the check', () => {
    const source = readFileSync(new URL('src/main.ts', root), 'utf8')
    expect(source).not.toMatch(/^\s*(import|export)\s+[\w{*'"]/m)
    expect(source.match(/\bimport\(/g)).toHaveLength(1)
  })
})
