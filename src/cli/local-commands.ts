import { type Command, Option } from 'commander'
import type { CallersCreateOptions } from './callers-create.ts'
import type { Finish } from './client-commands.ts'
import { configFile, json } from './common-options.ts'
import type { ConfigCheckOptions } from './config-check.ts'
import type { DoctorOptions } from './doctor.ts'
import type { Io } from './io.ts'
import { collect, collectScopes, duration, port } from './option-values.ts'
import type { PolicyTestOptions } from './policy-test.ts'
import type { SandboxCommandOptions } from './sandbox.ts'
import type { ServeOptions } from './serve.ts'

/** The port that definitions with `endpoints_base` aim at in the documentation. */
const SANDBOX_PORT = 8087
/** Long enough not to be a chore, short enough that a forgotten token dies. */
const CALLER_EXPIRES_MS = 90 * 86_400_000
/** A token that nobody has replaced for a year is a token that nobody knows how to replace. */
const CALLER_EXPIRES_MS_MAX = 365 * 86_400_000

/** Adds the commands that run until they are stopped. */
export function addServingCommands(program: Command, io: Io, finish: Finish): void {
  program
    .command('serve')
    .description('run the broker')
    .addOption(configFile())
    .option('--accept-restore', 'take an older copy of the database, and check its connections one by one')
    .option('--allow-insecure-debugging', 'serve with switches that print secrets; on loopback alone')
    .action(async ({ config, ...options }: { config?: string } & Omit<ServeOptions, 'configPath'>) => {
      const { serve } = await import('./serve.ts')
      finish(await serve({ configPath: config, ...options }))
    })
  program
    .command('demo')
    .description('run a broker and a sandbox together and walk through consent, renewal and failure')
    .option('--once', 'stop after the walk')
    .option('--provider <id>', 'walk with this built-in provider')
    .action(async ({ once, provider }: { once?: boolean; provider?: string }) => {
      const { demo } = await import('./demo.ts')
      finish(await demo({ once: once ?? false, provider }, io))
    })
  addSandbox(program, io, finish)
}

function addSandbox(program: Command, io: Io, finish: Finish): void {
  program
    .command('sandbox')
    .description('run a local authorization server that speaks the dialect of each built-in provider')
    .option('--host <host>', 'loopback address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 takes a free one', port, SANDBOX_PORT)
    .option('--access-lifetime <duration>', 'how long access tokens live', duration({ min: 1_000 }))
    .option('--refresh-lifetime <duration>', 'how long refresh tokens live', duration({ min: 1_000 }))
    .addOption(
      new Option('--replay <kind>', 'what happens to used refresh tokens').choices([
        'same',
        'window',
        'single_use',
        'single_use_family',
      ]),
    )
    .option('--auto-approve', 'consent at once, without a page')
    .action(async (options: SandboxCommandOptions) => {
      const { sandbox } = await import('./sandbox.ts')
      finish(await sandbox(options, io))
    })
}

/** Adds the commands that need no broker. */
export function addOfflineCommands(program: Command, io: Io, finish: Finish): void {
  const config = program.command('config').description('work with the configuration')
  config
    .command('check')
    .description('read the configuration as serve would, and say what is wrong or what would be served')
    .addOption(configFile())
    .addOption(json())
    .action(async (options: ConfigCheckOptions) => {
      const { configCheck } = await import('./config-check.ts')
      finish(await configCheck(options, io))
    })
  addPolicy(program, io, finish)
  program
    .command('doctor')
    .description('look at everything a broker with this configuration rests on, and say what to do')
    .addOption(configFile())
    .option('--offline', 'ask no provider whether it is there')
    .addOption(json())
    .action(async (options: DoctorOptions) => {
      const { doctor } = await import('./doctor.ts')
      finish(await doctor(options, io))
    })

  const callers = program.command('callers').description('work with those who may call')
  callers
    .command('create')
    .description('make a token for a caller; prints it once, and the lines for callers: in broker.yaml')
    .argument('<name>', 'what the caller is called in logs and in the audit')
    .addOption(
      new Option(
        '--allow <rule>',
        'PROVIDER[:ACCOUNT]=METHOD,METHOD it may call; names may end in *; repeatable',
      )
        .argParser(collect)
        .default([], 'nothing'),
    )
    .addOption(
      new Option('--expires <duration>', 'when the token ends, at most 365d')
        .argParser(duration({ min: 1_000, max: CALLER_EXPIRES_MS_MAX, range: ', from 1s to 365d' }))
        .default(CALLER_EXPIRES_MS, '90d'),
    )
    .addOption(json())
    .action(async (name: string, options: CallersCreateOptions) => {
      const { callersCreate } = await import('./callers-create.ts')
      finish(await callersCreate(name, options, io))
    })
}

function addPolicy(program: Command, io: Io, finish: Finish): void {
  program
    .command('policy')
    .description('work with what callers may do')
    .command('test')
    .description('say whether the configuration lets a caller make a call, and which rule does')
    .addOption(configFile())
    .requiredOption('--caller <name>', 'who calls')
    .requiredOption('--method <rpc>', 'what it calls, such as GetAccessToken')
    .option('--provider <id>', 'for whose connection (default: for any)')
    .option('--account <account>', 'whose connection (default: the system-level credential)')
    .option('--scope <scope>', 'a scope that the call names; repeatable', collectScopes, [])
    .addOption(json())
    .action(async (options: PolicyTestOptions) => {
      const { policyTest } = await import('./policy-test.ts')
      finish(await policyTest(options, io))
    })
}
