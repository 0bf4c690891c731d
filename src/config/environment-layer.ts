import { resolve } from 'node:path'
import { builtIns } from '../providers/built-ins.ts'
import { type Data, isData } from '../providers/merge.ts'
import { type Environment, variable } from './environment.ts'
import { environmentProviders } from './environment-providers.ts'
import { type ConfigPath, formatPath } from './problem.ts'

/** The variable that a value comes from. */
export interface VariableOrigin {
  readonly variable: string
  /** For what is missing: the variable that makes it necessary. */
  readonly enabledBy?: string
}

/** What the file says with the environment laid over it. */
export interface Layered {
  readonly data: Data
  /** Of everything that the environment says, by {@link formatPath}. */
  readonly origins: ReadonlyMap<string, VariableOrigin>
}

/**
 * Lays the environment over the file's data. `TOKEN_BROKER_*` replaces what the file says of the server; a
 * provider that stands in the file takes nothing from the environment, others are added. A variable that the
 * file names as `{env: NAME}` belongs to the file and enables nothing.
 *
 * @param file unchecked; what is of the wrong type stays as it is and is found later
 * @param cwd where relative paths in variables start
 */
export function layEnvironment(file: Data, env: Environment, cwd: string): Layered {
  const origins = new Map<string, VariableOrigin>()
  const note = (path: ConfigPath, origin: VariableOrigin) => origins.set(formatPath(path), origin)
  const data = {
    ...file,
    ...defined({
      listen: layListen(file.listen, env, note),
      ...layServer(env, cwd, note),
      providers: addProviders(file.providers, without(env, namedVariables(file)), note),
    }),
  }
  return { data, origins }
}

type Note = (path: ConfigPath, origin: VariableOrigin) => void

function layServer(env: Environment, cwd: string, note: Note): Data {
  const take = (key: string, name: string, convert: (value: string) => unknown) => {
    const value = variable(env, name)
    if (value === undefined) return undefined
    note([key], { variable: name })
    return convert(value)
  }
  return {
    public_url: take('public_url', 'TOKEN_BROKER_PUBLIC_URL', url => url),
    data_dir: take('data_dir', 'TOKEN_BROKER_DATA_DIR', path => resolve(cwd, path)),
    root_key: take('root_key', 'TOKEN_BROKER_ROOT_KEY_FILE', path => ({ file: resolve(cwd, path) })),
    store: take('store', 'TOKEN_BROKER_STORE', store => store),
  }
}

/** A variable replaces an address or a socket and keeps the TLS that the file has for it; of `grpc` one listener is left. */
function layListen(listen: unknown, env: Environment, note: Note): unknown {
  if (listen !== undefined && !isData(listen)) return listen
  const laid: Record<string, unknown> = { ...listen }
  const take = (path: ConfigPath, name: string, below: unknown) => {
    const address = variable(env, name)
    if (address === undefined) return undefined
    note(['listen', ...path, 'address'], { variable: name })
    return { ...(isData(below) ? below : {}), address }
  }
  const first = Array.isArray(laid.grpc) ? withoutSocket(laid.grpc[0]) : undefined
  const grpc = take(['grpc', 0], 'TOKEN_BROKER_GRPC', first)
  const http = take(['http'], 'TOKEN_BROKER_HTTP', laid.http)
  const admin = take(['admin'], 'TOKEN_BROKER_ADMIN', laid.admin)
  const changed = { ...laid, ...defined({ grpc: grpc && [grpc], http, admin }) }
  return Object.keys(changed).length === 0 ? listen : changed
}

/** A listener has an address or a socket, never both. */
function withoutSocket(listener: unknown): unknown {
  if (!isData(listener)) return listener
  const { socket: _replaced, ...rest } = listener
  return rest
}

function addProviders(providers: unknown, env: Environment, note: Note): unknown {
  if (providers !== undefined && !isData(providers)) return providers
  const all: Record<string, unknown> = { ...providers }
  for (const { id, data, enabledBy, variables } of environmentProviders(env, builtIns.keys())) {
    if (Object.hasOwn(all, id)) continue
    all[id] = data
    for (const [path, name] of variables) {
      const isUnset = variable(env, name) === undefined
      note(['providers', id, ...path], { variable: name, enabledBy: isUnset ? enabledBy : undefined })
    }
  }
  return all
}

/** Every NAME of an `{env: NAME}` in the file. */
function namedVariables(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(namedVariables)
  if (!isData(value)) return []
  const own = typeof value.env === 'string' ? [value.env] : []
  return [...own, ...Object.values(value).flatMap(namedVariables)]
}

function without(env: Environment, names: readonly string[]): Environment {
  return { ...env, ...Object.fromEntries(names.map(name => [name, undefined])) }
}

function defined(data: Data): Data {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined))
}
