import { type Command, Option } from 'commander'
import { json, provider } from './common-options.ts'
import type { ConnectOptions } from './connect.ts'
import type { DisconnectOptions } from './disconnect.ts'
import type { HealthOptions } from './health.ts'
import type { ImportOptions } from './import.ts'
import type { Io } from './io.ts'
import type { ListOptions } from './list.ts'
import { collectScopes, collectVariables, duration, storedState } from './option-values.ts'
import type { RefreshOptions } from './refresh.ts'
import type { StatusOptions } from './status.ts'
import type { TokenOptions } from './token.ts'
import type { WatchOptions } from './watch.ts'

/** The broker keeps the outcome of a consent for so long. */
const CONNECT_TIMEOUT_MS_MAX = 24 * 3_600_000
/** As long as a link can be started. */
const CONNECT_TIMEOUT_MS = 10 * 60_000

/** What a command does with its exit code. */
export type Finish = (exitCode: number) => void

/** Adds the commands that talk to a running broker; each loads what it needs when it runs. */
export function addClientCommands(program: Command, io: Io, finish: Finish): void {
  addConnect(program, io, finish)
  addToken(program, io, finish)
  addStatus(program, io, finish)
  addList(program, io, finish)
  addRefresh(program, io, finish)
  addDisconnect(program, io, finish)
  addImport(program, io, finish)
  addWatch(program, io, finish)
  addHealth(program, io, finish)
}

function addConnect(program: Command, io: Io, finish: Finish): void {
  program
    .command('connect')
    .description('print a consent link, open the browser, wait for the outcome')
    .addArgument(provider())
    .addOption(account())
    .addOption(
      new Option('--scope <scope>', 'ask for this scope; repeatable')
        .argParser(collectScopes)
        .default([], 'the configured ones'),
    )
    .addOption(
      new Option('--variable <key=value>', 'value of a variable of the definition; repeatable')
        .argParser(collectVariables)
        .default({}, 'none'),
    )
    .option('--allow-account-change', 'let the consent name another provider account than the connected one')
    .option('--no-browser', 'print the link only')
    .addOption(
      new Option('--timeout <duration>', 'how long to wait for the outcome')
        .argParser(duration({ min: 1_000, max: CONNECT_TIMEOUT_MS_MAX, range: ', from 1s to 24h' }))
        .default(CONNECT_TIMEOUT_MS, '10m'),
    )
    .addOption(json())
    .action(async (provider: string, options: ConnectOptions) => {
      const { connect } = await import('./connect.ts')
      finish(await connect(provider, options, io))
    })
}

function addToken(program: Command, io: Io, finish: Finish): void {
  program
    .command('token')
    .description('print an access token that works')
    .addArgument(provider())
    .addOption(account())
    .option('--min-ttl <duration>', 'how long it must still live; 0 takes any unexpired one', duration())
    .option('--rejected-version <version>', 'report that the provider refused this version (HTTP 401)')
    .addOption(
      new Option('--scope <scope>', 'a scope that the token must carry; repeatable')
        .argParser(collectScopes)
        .default([], 'none'),
    )
    .addOption(new Option('--header', 'print header lines, for curl -H @-').conflicts('json'))
    .addOption(json())
    .action(async (provider: string, options: TokenOptions) => {
      const { token } = await import('./token.ts')
      finish(await token(provider, options, io))
    })
}

function addStatus(program: Command, io: Io, finish: Finish): void {
  program
    .command('status')
    .description('show the state of one connection; exit code 0 if it is connected, else 1')
    .addArgument(provider())
    .addOption(account())
    .option('--verify', 'ask the provider whether the access token works')
    .addOption(json())
    .action(async (provider: string, options: StatusOptions) => {
      const { status } = await import('./status.ts')
      finish(await status(provider, options, io))
    })
}

function addList(program: Command, io: Io, finish: Finish): void {
  program
    .command('list')
    .description('list connections, or with --providers what is configured')
    .addOption(new Option('--provider <id>', 'only connections of this provider').default('', 'all'))
    .addOption(new Option('--state <state>', 'only connections in this stored state').argParser(storedState))
    .addOption(new Option('--providers', 'list the configured providers').conflicts(['provider', 'state']))
    .addOption(json())
    .action(async (options: ListOptions) => {
      const { list } = await import('./list.ts')
      finish(await list(options, io))
    })
}

function addRefresh(program: Command, io: Io, finish: Finish): void {
  program
    .command('refresh')
    .description('refresh one connection now; the output holds no secret')
    .addArgument(provider())
    .addOption(account())
    .addOption(json())
    .action(async (provider: string, options: RefreshOptions) => {
      const { refresh } = await import('./refresh.ts')
      finish(await refresh(provider, options, io))
    })
}

function addDisconnect(program: Command, io: Io, finish: Finish): void {
  program
    .command('disconnect')
    .description('forget the tokens of one connection and revoke them at the provider')
    .addArgument(provider())
    .addOption(account())
    .addOption(
      new Option('--shared <what>', 'where revoking would end other connections of the same provider account')
        .choices(['keep', 'revoke'])
        .default('keep'),
    )
    .option('--yes', 'do not ask')
    .addOption(json())
    .action(async (provider: string, options: DisconnectOptions) => {
      const { disconnect } = await import('./disconnect.ts')
      finish(await disconnect(provider, options, io))
    })
}

function addImport(program: Command, io: Io, finish: Finish): void {
  program
    .command('import')
    .description('take over grants that another system obtained; tokens come from a file or stdin')
    .argument('[file]', 'JSON, one JSON object per line, or bare tokens; - or nothing is stdin')
    .requiredOption('--provider <id>', 'id of the configured provider')
    .addOption(new Option('--account <account>', 'whose connection').default(undefined, 'as the input says'))
    .addOption(
      new Option('--check <how>', 'ask the provider before storing, or refresh once after').choices([
        'verify',
        'refresh',
      ]),
    )
    .option('--migration-token', 'the tokens are of a former kind; the provider turns them into grants')
    .option('--replace', 'give up a grant that is stored for the connection')
    .addOption(json())
    .action(async (file: string | undefined, options: ImportOptions) => {
      const { importGrants } = await import('./import.ts')
      finish(await importGrants(file, options, io))
    })
}

function addWatch(program: Command, io: Io, finish: Finish): void {
  program
    .command('watch')
    .description('print a line whenever a connection changes, until Ctrl-C')
    .argument(
      '[connections...]',
      'PROVIDER for the system-level credential, PROVIDER/ACCOUNT for others; nothing means all, without tokens',
    )
    .addOption(new Option('--json', 'print one JSON document per line'))
    .action(async (connections: readonly string[], options: WatchOptions) => {
      const { watch } = await import('./watch.ts')
      finish(await watch(connections, options, io))
    })
}

function addHealth(program: Command, io: Io, finish: Finish): void {
  program
    .command('health')
    .description('ask a running broker whether it serves; exit code 0 or 1, as containers want it')
    .addOption(new Option('--service <name>', 'full name of a gRPC service').default('', 'the whole broker'))
    .addOption(json())
    .action(async (options: HealthOptions) => {
      const { health } = await import('./health.ts')
      finish(await health(options, io))
    })
}

function account(): Option {
  return new Option('--account <account>', 'whose connection').default('', 'the system-level credential')
}
