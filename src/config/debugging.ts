import { type Environment, variable } from './environment.ts'

/** A switch of the runtime or a library with which secrets would leave the process. */
export interface DebugSwitch {
  /** As it is set: `NODE_DEBUG=http`, `--inspect`. */
  readonly name: string
  /** What it would do, as a clause: `prints …`. */
  readonly effect: string
}

/** Variables that must not be set, or not to such a value. */
const VARIABLES: readonly (readonly [name: string, isSwitch: (value: string) => boolean, effect: string])[] =
  [
    ['GRPC_TRACE', isSet, 'prints the metadata of every call, bearer tokens among it'],
    ['GRPC_NODE_TRACE', isSet, 'prints the metadata of every call, bearer tokens among it'],
    ['GRPC_VERBOSITY', isDebug, 'prints what gRPC traces, bearer tokens among it'],
    ['GRPC_NODE_VERBOSITY', isDebug, 'prints what gRPC traces, bearer tokens among it'],
    ['GRPC_NODE_DEBUG_SEND_ERROR_DETAILS', isTrue, 'sends stack traces to callers'],
    ['NODE_DEBUG', isSet, 'prints requests to providers and from browsers, headers and all'],
    ['NODE_DEBUG_NATIVE', isSet, 'prints what the runtime does inside'],
    ['NODE_TLS_REJECT_UNAUTHORIZED', value => value === '0', 'takes every certificate for a valid one'],
  ]

/** Options of Node, in its command line or in NODE_OPTIONS, by how they begin. */
const OPTIONS: readonly (readonly [begin: RegExp, effect: string])[] = [
  [/^--(inspect|debug)(-|=|$)/, 'lets whoever reaches a port read the memory of this process'],
  [/^--tls-keylog(=|$)/, 'writes the keys of TLS connections to a file'],
  [/^--trace-(tls|event)/, 'writes what connections carry'],
  [/^--heapsnapshot-/, 'writes the memory of this process to a file'],
  [/^--heap-prof/, 'writes parts of the memory of this process to a file'],
  [/^--(cpu-)?prof/, 'writes what this process runs, and from where, to a file'],
  [/^--report-(on|uncaught)/, 'writes the environment of this process, where secrets may stand, to a file'],
  [/^--abort-on-uncaught-exception$/, 'leaves the memory of this process in a core dump'],
]

/**
 * Finds every switch that would carry secrets out of the process.
 *
 * @param execArgv the options of Node in the command line of this process
 */
export function findDebugSwitches(env: Environment, execArgv: readonly string[]): DebugSwitch[] {
  const variables = VARIABLES.flatMap(([name, isSwitch, effect]) => {
    const value = variable(env, name)
    return value !== undefined && isSwitch(value) ? [{ name: `${name}=${value}`, effect }] : []
  })
  const inEnvironment = (variable(env, 'NODE_OPTIONS') ?? '').split(/[\s"]+/)
  return [
    ...variables,
    ...execArgv.flatMap(option => switchOf(option, '')),
    ...inEnvironment.flatMap(option => switchOf(option, ' in NODE_OPTIONS')),
  ]
}

/** Node takes underscores for hyphens. */
function switchOf(option: string, where: string): DebugSwitch[] {
  const normal = option.replaceAll('_', '-')
  const found = OPTIONS.find(([begin]) => begin.test(normal))
  return found === undefined ? [] : [{ name: `${option}${where}`, effect: found[1] }]
}

function isSet(value: string): boolean {
  return value !== ''
}

function isDebug(value: string): boolean {
  return value.toUpperCase() === 'DEBUG'
}

function isTrue(value: string): boolean {
  return value === 'true'
}
