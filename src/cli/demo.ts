import { once } from 'node:events'
import { resolve } from 'node:path'
import type { BrokerClient } from './client.ts'
import { withBroker } from './client.ts'
import { USUAL_PORTS } from './demo-ports.ts'
import { connect, createLink, disconnect, WALK_LIFETIME_MS, walk } from './demo-walk.ts'
import { createDemoWorld, DEMO_PROVIDERS, type DemoProvider, type DemoWorld } from './demo-world.ts'
import { EXIT, usageError } from './exit.ts'
import type { Io } from './io.ts'
import { note, print, styleFor } from './output.ts'

const FOLDER = 'data-demo'
/** Long enough to try things by hand. */
const STAY_LIFETIME_MS = 30 * 60_000

/** How the demo is run. */
export interface DemoOptions {
  /** Stop after the walk. */
  readonly once: boolean
  /** Walk one provider only. */
  readonly provider?: string
}

/**
 * Walks the whole life of a connection with a broker and a sandbox of its own, then stays up to be tried.
 *
 * @returns 0 if every step did what it should, else 1
 */
export async function demo(options: DemoOptions, io: Io): Promise<number> {
  const providers = chosen(options.provider)
  const interrupted = io.untilInterrupted()
  const world = await createDemoWorld(resolve(FOLDER), USUAL_PORTS)
  const env = { ...io.env, TOKEN_BROKER_ADDRESS: world.grpcAddress, TOKEN_BROKER_TOKEN_FILE: world.tokenFile }
  try {
    return await withBroker({ ...io, env }, async broker => {
      print(io, `A broker answers at ${world.grpcAddress}, its sandbox at ${world.sandboxOrigin}.`)
      for (const provider of providers) await walkOne(world, broker, provider, io)
      if (options.once) return EXIT.ok
      await invite(world, broker, providers, io)
      if (!interrupted.aborted) await once(interrupted, 'abort')
      return EXIT.ok
    })
  } catch (error) {
    note(io, `The demo failed: ${error instanceof Error ? error.message : 'unknown reason'}`)
    return EXIT.negative
  } finally {
    await world.stop()
  }
}

function chosen(id: string | undefined): readonly DemoProvider[] {
  const providers = DEMO_PROVIDERS.filter(provider => id === undefined || provider.id === id)
  if (providers.length > 0) return providers
  const known = DEMO_PROVIDERS.map(provider => provider.id).join(', ')
  throw usageError(`the demo has no provider "${id}"; there are ${known}`)
}

async function walkOne(
  world: DemoWorld,
  broker: BrokerClient,
  provider: DemoProvider,
  io: Io,
): Promise<void> {
  const style = styleFor(io.stdout, io.env)
  print(io, '', style('heading', `The life of a connection: ${provider.id}`))
  world.sandbox.control.changeBehavior(provider.dialect, { accessTokenLifetimeMs: WALK_LIFETIME_MS })
  // An earlier run may have left a connection whose grant its sandbox has forgotten.
  await disconnect(broker, provider.id, () => {})
  let step = 0
  await walk(world, broker, provider, (what, outcome) => {
    step++
    print(io, `  ${String(step).padStart(2)}  ${what.padEnd(37)} ${style('good', '✓')} ${outcome}`)
  })
}

/** Connects once more and says what can be tried. */
async function invite(
  world: DemoWorld,
  broker: BrokerClient,
  providers: readonly DemoProvider[],
  io: Io,
): Promise<void> {
  for (const { dialect } of providers) {
    world.sandbox.control.changeBehavior(dialect, { accessTokenLifetimeMs: STAY_LIFETIME_MS })
  }
  const id = providers[0]?.id ?? ''
  await connect(broker, id, () => {})
  for (const { dialect } of providers) world.sandbox.control.changeBehavior(dialect, { consent: 'ask' })
  const { url } = await createLink(broker, id)
  print(io, ...invitation(world, id, url, styleFor(io.stdout, io.env)))
}

function invitation(world: DemoWorld, id: string, url: string, style: ReturnType<typeof styleFor>): string[] {
  const token = `${world.folder}/operator.token`
  const authorization = `-H "authorization: Bearer $(cat ${token})"`
  const method = 'tokenbroker.v1.TokenBrokerService/GetAccessToken'
  const data = `-d '{"provider":"${id}"}'`
  return [
    '',
    style('heading', `${id} is connected once more, and the broker stays up. Try it from another terminal:`),
    '',
    `  grpcurl -plaintext ${authorization} ${data} ${world.grpcAddress} ${method}`,
    '',
    `  npx buf curl --protocol grpc --http2-prior-knowledge --reflect-header '*' ${authorization} ${data} http://${world.grpcAddress}/${method}`,
    '',
    `  export TOKEN_BROKER_ADDRESS=${world.grpcAddress} TOKEN_BROKER_TOKEN_FILE=${token}`,
    `  node dist/main.js status ${id}`,
    `  node dist/main.js token ${id}`,
    `  node dist/main.js refresh ${id}`,
    `  node dist/main.js disconnect ${id} --yes`,
    '',
    'Consent in your browser, as an admin does (single use, 10 minutes):',
    '',
    `  ${url}`,
    '',
    'Ctrl-C stops the broker.',
  ]
}
