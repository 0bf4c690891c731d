import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { type ClientReadableStream, credentials, type ServiceError } from '@grpc/grpc-js'
import { expect, it, onTestFinished } from 'vitest'
import { hashCallerToken } from '../../src/config/caller-token.ts'
import { AdminServiceClient, ListAuditRecordsRequest } from '../../src/gen/tokenbroker/v1/admin.ts'
import { GetAccessTokenRequest, TokenBrokerServiceClient } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { bearer, call, decodeFailure, failureOf } from '../api/running-server.ts'
import { noteSecret, noteSink } from '../canaries.ts'
import { MAIN } from '../cli/run-process.ts'
import { createHome, type Home } from './broker-process.ts'

const ACME = { provider: 'acme', account: '' }
const PROVIDER = `acme:
  definition: {authorize_url: "http://127.0.0.1:9/a", token_url: "http://127.0.0.1:9/t"}
  client_id: x
  client_secret: {file: secret}
  static_access_token: {file: secret}`

const callers = (methods: string, hash = '{file: hash}') =>
  `callers: [{name: service, token_sha256: ${hash}, allow: [{providers: [acme], accounts: [""], methods: [${methods}]}]}]\n`

it('A running broker follows its configuration, by the file and by SIGHUP', async () => {
  const home = await createHome()
  await home.writeFile('secret', 'canary-secret')
  await home.writeFile('hash', hashCallerToken('first'))
  await home.configure(PROVIDER, callers('GetAccessToken, WatchAccessTokens'))
  const { child, log, address } = await serve(home)
  const tokens = new TokenBrokerServiceClient(address, credentials.createInsecure())
  onTestFinished(() => tokens.close())
  const get = (token: string) =>
    call(tokens, tokens.getAccessToken, GetAccessTokenRequest.fromPartial(ACME), bearer(token))
  const said = (message: string) => log.filter(line => line.message === message)

  // A stream that has nothing more to say ends when the file takes its caller's right.
  const stream = tokens.watchAccessTokens({ connections: [ACME] }, bearer('first'))
  const ended = endOf(stream)
  await once(stream, 'data')
  await home.configure(PROVIDER, callers('GetAccessToken'))
  expect((await ended).reason).toBe('ACCESS_DENIED')
  expect((await get('first')).token?.accessToken).toBe('canary-secret')

  // What cannot be used is loud and changes nothing.
  await home.configure(PROVIDER, callers('GetAccessTokens'))
  await expect
    .poll(() => said('The configuration cannot be used: the last good policy stays in force'))
    .toMatchObject([
      { level: 'error', problems: [expect.stringContaining('did you mean "GetAccessToken"?')] },
    ])
  await get('first')

  // A token is replaced in the file that its hash is in.
  await writeFile(`${home.folder}/hash`, hashCallerToken('second'))
  await home.configure(PROVIDER, `log: {level: debug}\n${callers('GetAccessToken')}`)
  await expect
    .poll(() => failureOf(get('first')).catch(() => undefined))
    .toMatchObject({ reason: 'CALLER_UNAUTHENTICATED' })
  await get('second')
  await expect
    .poll(() => said('Changes of the configuration that need a restart are not in force'))
    .toMatchObject([{ keys: ['log'] }])

  child.kill('SIGHUP')
  await expect.poll(() => said('Configuration read again: the policy is the same').length).toBeGreaterThan(0)
  const changes = said('Policy changed').length
  await expect.poll(() => recordedChanges(home, address)).toBe(changes)
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
  expect(JSON.stringify(log)).not.toContain('canary')
}, 60_000)

/** How a stream ends that must fail. */
function endOf(stream: ClientReadableStream<unknown>) {
  return new Promise<Parameters<typeof decodeFailure>[0]>(resolve => {
    stream.on('error', error => resolve(error as ServiceError))
  }).then(decodeFailure)
}

interface LogLine {
  readonly message: string
  readonly [field: string]: unknown
}

/** Starts the program and keeps what it logs. */
async function serve(home: Home) {
  const child: ChildProcess = spawn(process.execPath, [MAIN, 'serve', '--config', home.configPath], {
    cwd: home.folder,
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  if (child.stdout === null) throw new Error('no output')
  const log: LogLine[] = []
  const serving = Promise.withResolvers<string>()
  createInterface({ input: child.stdout }).on('line', text => {
    noteSink('the output of serve', text)
    const line: LogLine = JSON.parse(text)
    log.push(line)
    if (line.message === 'Serving') serving.resolve((line.grpc as string[])[0] ?? '')
  })
  child.once('exit', () => serving.reject(new Error('it ended before it served')))
  return { child, log, address: await serving.promise }
}

/** How many changes of the policy are in the audit. */
async function recordedChanges(home: Home, address: string): Promise<number> {
  const admin = new AdminServiceClient(address, credentials.createInsecure())
  const token = (await readFile(`${home.dataDir}/operator.token`, 'utf8')).trim()
  noteSecret(token)
  const request = ListAuditRecordsRequest.fromPartial({ event: 'POLICY_CHANGED' })
  const { records } = await call(admin, admin.listAuditRecords, request, bearer(token))
  admin.close()
  return records.length
}
