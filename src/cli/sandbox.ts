import { once } from 'node:events'
import { builtIns } from '../providers/built-ins.ts'
import type { Replay } from '../providers/definition.ts'
import type { BehaviorPatch } from '../sandbox/behavior.ts'
import { DEFAULT_CLIENT } from '../sandbox/clients.ts'
import { dialects } from '../sandbox/dialects.ts'
import { SandboxError } from '../sandbox/errors.ts'
import { createSandbox, type Sandbox } from '../sandbox/sandbox.ts'
import { CliError, EXIT, usageError } from './exit.ts'
import type { Io } from './io.ts'
import { print, styleFor } from './output.ts'
import { systemClock, systemRandom } from './system-ports.ts'

/** What is left out is as the dialect, and so the real provider, has it. Lifetimes are milliseconds. */
export interface SandboxCommandOptions {
  readonly host: string
  readonly port: number
  readonly accessLifetime?: number
  readonly refreshLifetime?: number
  readonly replay?: Replay
  readonly autoApprove?: boolean
}

/** Runs a local authorization server until it is stopped, and prints what to paste into broker.yaml. */
export async function sandbox(options: SandboxCommandOptions, io: Io): Promise<number> {
  const interrupted = io.untilInterrupted()
  const server = create(options)
  try {
    const origin = await listen(server, options)
    print(io, ...introduction(origin, io))
    if (!interrupted.aborted) await once(interrupted, 'abort')
  } finally {
    await server.close()
  }
  return EXIT.ok
}

function create(options: SandboxCommandOptions): Sandbox {
  try {
    return createSandbox({
      clock: systemClock,
      random: systemRandom,
      options: { autoApprove: options.autoApprove ?? false, behavior: sameForAll(patchOf(options)) },
    })
  } catch (error) {
    throw error instanceof SandboxError ? usageError(error.message) : error
  }
}

async function listen(server: Sandbox, { host, port }: SandboxCommandOptions): Promise<string> {
  try {
    return (await server.listen({ host, port })).origin
  } catch (cause) {
    if (cause instanceof SandboxError) throw usageError(cause.message)
    const { code } = cause as NodeJS.ErrnoException
    if (code === undefined) throw cause
    const why = code === 'EADDRINUSE' ? 'another program has it; --port 0 takes a free one' : code
    throw new CliError(EXIT.negative, `cannot listen on port ${port} of ${host}: ${why}`, { cause })
  }
}

function patchOf({ accessLifetime, refreshLifetime, replay }: SandboxCommandOptions): BehaviorPatch {
  return {
    ...(accessLifetime !== undefined && { accessTokenLifetimeMs: accessLifetime }),
    ...(refreshLifetime !== undefined && { refreshTokenLifetimeMs: refreshLifetime }),
    ...(replay !== undefined && { replay }),
  }
}

function sameForAll(patch: BehaviorPatch): Record<string, BehaviorPatch> {
  return Object.fromEntries(dialects.map(({ id }) => [id, patch]))
}

function introduction(origin: string, io: Io): string[] {
  const style = styleFor(io.stdout, io.env)
  return [
    `A sandbox answers at ${style('good', origin)}. All its accounts are made up. Ctrl-C stops it.`,
    style('heading', 'In broker.yaml:'),
    '',
    'providers:',
    ...dialects.flatMap(({ id }) => providerYaml(id, `${origin}/${id}`)),
    '',
    `Faults, other behaviour, what was asked: ${origin}/_sandbox/`,
  ]
}

/** A built-in definition is aimed at its dialect; what has none is a plain server that describes itself. */
function providerYaml(id: string, base: string): string[] {
  return [
    `  ${id}:`,
    ...(builtIns.has(id) ? [] : [`    definition: {issuer: "${base}"}`]),
    `    client_id: ${DEFAULT_CLIENT.clientId}`,
    `    client_secret: {command: [echo, ${DEFAULT_CLIENT.clientSecret}]}`,
    ...(builtIns.has(id) ? [`    endpoints_base: ${base}`] : []),
  ]
}
