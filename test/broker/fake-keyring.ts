import { createHash } from 'node:crypto'
import { Secret } from '../../src/secret.ts'
import { type Keyring, type SealContext, UnreadableError } from '../../src/store/keyring.ts'

/** Seals by writing down what for; opens only there, as the real one does. */
export const fakeKeyring: Keyring = {
  seal: (plaintext, context) => Buffer.from(JSON.stringify([contextKey(context), plaintext.expose()])),
  open(sealed, context) {
    const [key, plaintext] = JSON.parse(Buffer.from(sealed).toString())
    if (key !== contextKey(context)) throw new UnreadableError('tampered', 'sealed for another place')
    return new Secret(plaintext)
  },
  fingerprint: value => createHash('sha256').update(value.expose()).digest('hex').slice(0, 32),
}

function contextKey({ table, column, id, grantEpoch, origin }: SealContext): string {
  return [table, column, id, grantEpoch, origin].join('|')
}
