import { Argument, Option } from 'commander'
import { providerId } from './option-values.ts'

/** Arguments and options that several commands have, worded once. */

/** Which configuration file an offline command reads. */
export function configFile(): Option {
  return new Option(
    '--config <file>',
    'configuration file (default: $TOKEN_BROKER_CONFIG, or ./broker.yaml if present)',
  )
}

/** For programs that read the output. */
export function json(): Option {
  return new Option('--json', 'print one JSON document')
}

/** Which provider's connection a command is about. */
export function provider(): Argument {
  return new Argument('<provider>', 'id of the configured provider').argParser(providerId)
}
