import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ProcessResult, runProcess } from '../cli/run-process.ts'
import { createHome, freePort, HOST, type Home, startSandbox } from './broker-process.ts'
import { walkConsent } from './consent-walk.ts'

/** The real program; one that starts after all is stopped, and ends with 0. */
function serve({ configPath, folder }: Home): Promise<ProcessResult> {
  let told = false
  return runProcess(['serve', '--config', configPath], {
    cwd: folder,
    onOutput: (stdout, child) => {
      if (!told && stdout.includes('"Serving"')) told = child.kill('SIGTERM')
    },
  })
}

async function emptyHome(): Promise<Home> {
  const home = await createHome()
  await home.configure('')
  return home
}

/** A home in which a broker has run and connected something. */
async function homeWithData(): Promise<Home> {
  const { origin } = await startSandbox({ autoApprove: true })
  const home = await createHome()
  await home.writeFile('client-secret', 'sandbox-secret')
  await home.configure(`acme:
  definition: {issuer: "${origin}/oauth2"}
  client_id: sandbox-client
  client_secret: {file: client-secret}
  scopes: [read]`)
  const broker = await home.start()
  const { result } = await walkConsent((await broker.createLink('acme')).url)
  expect(result).toContain('Connected')
  await broker.stop()
  return home
}

/** The data directory, byte by byte. What SQLite lays beside a database that is only read is empty or an index. */
function digest({ dataDir }: Home): Record<string, string> {
  const hash = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(dataDir, name)))
      .digest('hex')
  const names = readdirSync(dataDir).filter(
    name => !name.endsWith('-shm') && !(name.endsWith('-wal') && statSync(join(dataDir, name)).size === 0),
  )
  return Object.fromEntries(names.map(name => [name, hash(name)]))
}

async function takenPort(): Promise<number> {
  const server = createServer()
  onTestFinished(() => void server.close())
  await new Promise<void>(resolve => server.listen(0, HOST, resolve))
  return (server.address() as AddressInfo).port
}

describe('serve is refused with exit code 78, and a sentence,', () => {
  it('while another broker uses the data directory, which goes on', async () => {
    const home = await emptyHome()
    const broker = await home.start()
    const { exitCode, stderr } = await serve(home)
    expect({ exitCode, stderr }).toEqual({
      exitCode: 78,
      stderr: expect.stringContaining(`another broker is using the data directory ${home.dataDir}`),
    })
    expect((await broker.refusal('acme')).reason).toBe('PROVIDER_NOT_FOUND')
  })

  it('with another root key: no byte is written, and the right key still fits', async () => {
    const home = await homeWithData()
    const path = join(home.dataDir, 'root.key')
    const rightKey = readFileSync(path)
    writeFileSync(path, randomBytes(32).toString('base64'))
    const before = digest(home)
    const { exitCode, stderr } = await serve(home)
    expect(exitCode).toBe(78)
    expect(stderr).toMatch(/root key/)
    expect(digest(home)).toEqual(before)

    writeFileSync(path, rightKey)
    expect(await serve(home)).toMatchObject({ exitCode: 0, stderr: '' })
  })

  it('without the root key of stored data: no new one is made', async () => {
    const home = await homeWithData()
    const path = join(home.dataDir, 'root.key')
    rmSync(path)
    const before = digest(home)
    const { exitCode, stderr } = await serve(home)
    expect(exitCode).toBe(78)
    expect(stderr).toContain(`the root key file ${path} is missing`)
    expect(existsSync(path)).toBe(false)
    expect(digest(home)).toEqual(before)
  })

  it.each(['GRPC', 'HTTP', 'ADMIN'])('where another program has the port of %s', async listener => {
    const home = await emptyHome()
    const address = `${HOST}:${await takenPort()}`
    const { exitCode, stderr } = await runProcess(['serve', '--config', home.configPath], {
      cwd: home.folder,
      env: { [`TOKEN_BROKER_${listener}`]: address },
    })
    expect(exitCode).toBe(78)
    expect(stderr).toContain(address)
    expect(stderr).toContain(`listen.${listener.toLowerCase()}`)
    expect(stderr).not.toMatch(/\n\s+at /)
  })

  it('with a listener that other machines reach, and nobody who may call: nothing is written', async () => {
    const home = await emptyHome()
    writeFileSync(
      home.configPath,
      `data_dir: ${home.dataDir}\nlisten: {grpc: [{address: 0.0.0.0:0, tls: proxy}]}\n`,
    )
    const { exitCode, stderr } = await serve(home)
    expect(exitCode).toBe(78)
    expect(stderr).toContain('callers: is empty, but other machines reach listen.grpc[0]')
    expect(existsSync(home.dataDir)).toBe(false)
  })

  it('where a file stands in place of the data directory', async () => {
    const home = await emptyHome()
    writeFileSync(home.dataDir, '')
    const { exitCode, stderr } = await serve(home)
    expect(exitCode).toBe(78)
    expect(stderr).toContain(`the data directory ${home.dataDir} cannot be created or written`)
  })
})

describe('a provider that is down', () => {
  it('does not keep the broker from starting, and is named on use', async () => {
    const home = await createHome()
    const nobody = `http://${HOST}:${await freePort()}`
    await home.writeFile('client-secret', 'any')
    await home.configure(`acme:
  definition: {issuer: "${nobody}"}
  client_id: any
  client_secret: {file: client-secret}
machine:
  definition: {token_url: "${nobody}/token", refresh: {mode: client_credentials}}
  client_id: any
  client_secret: {file: client-secret}`)
    const broker = await home.start()
    expect(await broker.refusal('machine')).toMatchObject({
      reason: 'PROVIDER_UNAVAILABLE',
      retryMs: expect.any(Number),
    })
    expect((await walkConsent((await broker.createLink('acme')).url)).result).toContain(
      'This consent cannot start now',
    )
  })
})
