import {
  AdminServiceService,
  type GetKeysResponse,
  type Key,
  KeyPurpose,
  KeyState,
} from '../gen/tokenbroker/v1/admin.ts'
import { type BrokerClient, withBroker } from './client.ts'
import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { note, plain, print, printJson, styleFor, table } from './output.ts'
import { formatRelative } from './time.ts'
import { enumName } from './to-json.ts'

export interface KeysOptions {
  readonly json?: boolean
}

export interface KeysRotateOptions extends KeysOptions {
  /** Wait until nothing is sealed by an older key. */
  readonly wait?: boolean
}

/** How often a rotation that is waited for is looked at. */
const LOOK_MS = 1_000

/** Lists the keys of the store. */
export async function keysStatus({ json }: KeysOptions, io: Io): Promise<number> {
  const keys = await withBroker(io, getKeys)
  if (json) printJson(io, keysToJson(keys))
  else print(io, ...sheet(keys, io))
  return EXIT.ok
}

/** Makes a new key that seals from now on. */
export async function keysRotate({ json, wait }: KeysRotateOptions, io: Io): Promise<number> {
  return withBroker(io, async broker => {
    const { keyId, rotated } = await broker.call(AdminServiceService.rotateKeys, {})
    if (!json) {
      const sentence = rotated
        ? `The key ${keyId} seals from now on.`
        : `No new key: after an earlier rotation values are still being sealed by the key ${keyId}.`
      print(io, sentence)
    }
    const left = wait ? await untilResealed(broker, json, io) : undefined
    if (json) printJson(io, { keyId, rotated, ...(wait && { resealed: left === 0 }) })
    else if (left === 0) print(io, 'Nothing is sealed by an older key any more.')
    else if (left !== undefined) note(io, `${left} values do not open; see: token-broker list`)
    else note(io, 'Values of older keys are sealed anew in the background; see: token-broker keys status')
    return wait && left !== 0 ? EXIT.negative : EXIT.ok
  })
}

/** Wraps all keys by the root key that the configuration names as the next. */
export async function keysRewrap({ json }: KeysOptions, io: Io): Promise<number> {
  const answer = await withBroker(io, broker => broker.call(AdminServiceService.rewrapKeys, {}))
  const { rootKeyFingerprint, keyCount } = answer
  if (json) printJson(io, { rootKeyFingerprint, keyCount })
  else if (keyCount === 0) print(io, `All keys were under the root key ${plain(rootKeyFingerprint)} already.`)
  else print(io, `${keyCount} keys are under the root key ${plain(rootKeyFingerprint)} now.`)
  if (!json) {
    note(io, 'Now write what root_key_next says to root_key, remove root_key_next, and keep the old root key')
    note(io, 'as long as backups that were made under it.')
  }
  return EXIT.ok
}

function getKeys(broker: BrokerClient): Promise<GetKeysResponse> {
  return broker.call(AdminServiceService.getKeys, {})
}

/** @returns how many values stay with older keys, because they do not open; undefined = interrupted */
async function untilResealed(
  broker: BrokerClient,
  json: boolean | undefined,
  io: Io,
): Promise<number | undefined> {
  const interrupted = io.untilInterrupted()
  for (;;) {
    const { keys, resealing } = await getKeys(broker)
    const left = keys.filter(isOlder).reduce((sum, { valueCount }) => sum + valueCount, 0)
    if (!resealing) return left
    if (!json) note(io, `${left} values left`)
    await io.sleep(LOOK_MS, interrupted)
    if (interrupted.aborted) return undefined
  }
}

function isOlder({ purpose, state }: Key): boolean {
  return purpose === KeyPurpose.SEAL && state !== KeyState.PRIMARY
}

function sheet(response: GetKeysResponse, io: Io): string[] {
  const style = styleFor(io.stdout, io.env)
  const { keys, rootKeyFingerprint, unknownKeyValueCount, resealing } = response
  const headings = ['KEY', 'PURPOSE', 'STATE', 'CREATED', 'VALUES']
  const rows = keys.map(key => [
    plain(key.keyId),
    enumName(KeyPurpose, key.purpose),
    style(key.state === KeyState.PRIMARY ? 'good' : 'heading', enumName(KeyState, key.state)),
    key.createTime ? formatRelative(key.createTime, io.now()) : '-',
    key.purpose === KeyPurpose.SEAL ? String(key.valueCount) : '-',
  ])
  const lost = `${unknownKeyValueCount} values name a key that is not there and cannot be read`
  return [
    ...table(
      headings.map(heading => style('heading', heading)),
      rows,
    ),
    '',
    `Wrapped by the root key ${plain(rootKeyFingerprint)}.`,
    ...(resealing ? ['Values of older keys are being sealed anew.'] : []),
    ...(unknownKeyValueCount > 0 ? [style('bad', lost)] : []),
  ]
}

function keysToJson({ keys, rootKeyFingerprint, unknownKeyValueCount, resealing }: GetKeysResponse): object {
  if (keys.length === 0) throw new CliError(EXIT.negative, 'the broker answered without keys')
  return {
    rootKeyFingerprint,
    resealing,
    unknownKeyValueCount,
    keys: keys.map(({ keyId, purpose, state, createTime, valueCount }) => ({
      keyId,
      purpose: enumName(KeyPurpose, purpose),
      state: enumName(KeyState, state),
      createTime: createTime?.toISOString(),
      valueCount,
    })),
  }
}
