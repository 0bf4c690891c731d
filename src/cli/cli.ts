import { Command, CommanderError } from 'commander'
import { ConfigError } from '../config/problem.ts'
import { addAuditCommands } from './audit-commands.ts'
import { addClientCommands, type Finish } from './client-commands.ts'
import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { addCopyCommands, addKeyCommands } from './key-commands.ts'
import { addOfflineCommands, addServingCommands } from './local-commands.ts'
import { note, plain, printJson, printJsonLine, styleFor } from './output.ts'
import { processIo } from './process-io.ts'
import { formatDuration } from './time.ts'
import { version } from './version.ts'

/** Runs the command line of this process and leaves its exit code. */
export async function runProcess(): Promise<void> {
  process.exitCode = await main(process.argv.slice(2), processIo())
}

/**
 * Runs one command line.
 *
 * @param argv what follows the program's name
 * @returns the exit code, one of {@link EXIT}
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  let exitCode: number = EXIT.ok
  const program = createProgram(io, code => {
    exitCode = code
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return exitCode
  } catch (error) {
    return fail(error, jsonPrinter(argv), io)
  }
}

function createProgram(io: Io, finish: Finish): Command {
  const program = new Command('token-broker')
    .description('Owns your OAuth grants and always hands out an access token that works.')
    .version(version(), '--version', 'print the version')
    .showHelpAfterError('(add --help for what there is)')
    .exitOverride()
    .configureOutput({
      writeOut: text => io.stdout.write(text),
      writeErr: text => io.stderr.write(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', EXIT_CODES)
  program.commandsGroup('Serving:')
  addServingCommands(program, io, finish)
  program.commandsGroup('A running broker:')
  addClientCommands(program, io, finish)
  addAuditCommands(program, io, finish)
  addKeyCommands(program, io, finish)
  program.commandsGroup('Offline:')
  addOfflineCommands(program, io, finish)
  addCopyCommands(program, io, finish)
  return program
}

const EXIT_CODES = `
Exit codes:
  ${EXIT.ok}   done, or the answer is yes
  ${EXIT.negative}   the answer is no, or it failed: not connected, consent denied, refresh failed
  ${EXIT.usage}  the command line makes no sense
  ${EXIT.unavailable}  no broker answers, or what it needs is away; try again later
  ${EXIT.defect}  serve met a defect of its own; its log says where
  ${EXIT.notPermitted}  the broker does not know this caller, or it may not do this
  ${EXIT.configuration}  the configuration or a file that it names cannot be used`

type JsonPrinter = typeof printJson

/** How a command line wants JSON: one document, or one on each line; undefined if it does not. */
function jsonPrinter(argv: readonly string[]): JsonPrinter | undefined {
  if (!argv.includes('--json')) return undefined
  return argv[0] === 'watch' ? printJsonLine : printJson
}

/** Says on stderr what went wrong; with `--json` stdout gets its one document all the same. */
function fail(error: unknown, json: JsonPrinter | undefined, io: Io): number {
  if (error instanceof CommanderError) {
    // Help and version come this way too; commander has printed its text.
    const isUsage = error.exitCode !== 0
    if (isUsage) json?.(io, { error: { message: error.message.replace(/^error: /, '') } })
    return isUsage ? EXIT.usage : EXIT.ok
  }
  const known = knownError(error)
  if (known === undefined) throw error
  json?.(io, { error: toJson(known) })
  note(io, ...lines(known, io))
  return known.exitCode
}

/** Undefined for a mistake in this program, which ends it with its stack. */
function knownError(error: unknown): CliError | undefined {
  if (error instanceof CliError) return error
  return error instanceof ConfigError ? new CliError(EXIT.configuration, error.message) : undefined
}

function lines({ message, reason, help, retryAfterMs }: CliError, io: Io): string[] {
  const style = styleFor(io.stderr, io.env)
  const [first = '', ...rest] = message.split('\n').map(plain)
  const lines = [`${style('bad', 'error:')} ${first}`, ...rest]
  if (reason !== '') lines.push(`  reason: ${plain(reason)}`)
  lines.push(...help.map(line => `  help: ${plain(line)}`))
  if (retryAfterMs !== undefined) lines.push(`  retry: in ${formatDuration(retryAfterMs)}`)
  return lines
}

function toJson({ message, reason, help, retryAfterMs }: CliError): object {
  return { message, ...(reason !== '' && { reason }), ...(help.length > 0 && { help }), retryAfterMs }
}
