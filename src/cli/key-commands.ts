import { type Command, Option } from 'commander'
import type { BackupOptions } from './backup.ts'
import type { Finish } from './client-commands.ts'
import { configFile, json, provider } from './common-options.ts'
import type { Io } from './io.ts'
import type { KeysOptions, KeysRotateOptions } from './keys.ts'
import type { RebindOptions } from './rebind.ts'
import type { RestoreOptions } from './restore.ts'

/** Adds the commands about keys and moved endpoints, which talk to a running broker. */
export function addKeyCommands(program: Command, io: Io, finish: Finish): void {
  const keys = program.command('keys').description('look after the keys that seal what is stored')
  keys
    .command('status')
    .description('list the keys, their states, and how much each still seals')
    .addOption(json())
    .action(async (options: KeysOptions) => {
      const { keysStatus } = await import('./keys.ts')
      finish(await keysStatus(options, io))
    })
  keys
    .command('rotate')
    .description('make a new key; what older ones seal is sealed anew while the broker serves')
    .option('--wait', 'wait until nothing is sealed by an older key')
    .addOption(json())
    .action(async (options: KeysRotateOptions) => {
      const { keysRotate } = await import('./keys.ts')
      finish(await keysRotate(options, io))
    })
  keys
    .command('rewrap')
    .description('change to the root key that the configuration names as root_key_next')
    .addOption(json())
    .action(async (options: KeysOptions) => {
      const { keysRewrap } = await import('./keys.ts')
      finish(await keysRewrap(options, io))
    })
  program
    .command('rebind')
    .description('send the tokens of connections to the endpoint and client that the configuration names now')
    .addArgument(provider())
    .option('--account <account>', 'the connection of this account; "" is the system-level credential')
    .option('--all', 'all connections of the provider')
    .option('--dry-run', 'only tell what would be done')
    .option('--yes', 'do not ask')
    .addOption(json())
    .action(async (provider: string, options: RebindOptions) => {
      const { rebind } = await import('./rebind.ts')
      finish(await rebind(provider, options, io))
    })
}

/** Adds the commands about copies of the database, which work on the data directory. */
export function addCopyCommands(program: Command, io: Io, finish: Finish): void {
  program
    .command('backup')
    .description('copy the database, sealed as it is, whether or not the broker runs')
    .requiredOption('--to <file>', 'file to write, which must not exist')
    .option('--data-dir <folder>', 'data directory (default: what the configuration says)')
    .addOption(configFile())
    .addOption(json())
    .action(async (options: BackupOptions) => {
      const { backup } = await import('./backup.ts')
      finish(await backup(options, io))
    })
  program
    .command('restore')
    .description('put a backup in the place of the database, while no broker runs; or tell how that went')
    .addOption(new Option('--from <file>', 'the backup').conflicts(['status', 'inPlace']))
    .addOption(
      new Option('--in-place', 'the whole data directory was put back, as from a snapshot').conflicts(
        'status',
      ),
    )
    .option('--status', 'ask a running broker what became of the connections of an accepted older copy')
    .addOption(configFile())
    .addOption(json())
    .action(async (options: RestoreOptions) => {
      const { restore } = await import('./restore.ts')
      finish(await restore(options, io))
    })
}
