import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose'

/** A key of an issuer, and its public half as the issuer publishes it. */
export interface IssuerKey {
  readonly privateKey: CryptoKey
  readonly jwk: JWK
  readonly algorithm: string
}

/** Makes a key. */
export async function createKey(kid: string, algorithm = 'ES256'): Promise<IssuerKey> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  return { privateKey, algorithm, jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' } }
}

/** Signs claims; a claim that is undefined is left out. */
export function sign(
  key: Pick<IssuerKey, 'privateKey' | 'jwk' | 'algorithm'>,
  claims: JWTPayload,
  header: Record<string, unknown> = {},
): Promise<string> {
  const { kid } = key.jwk
  return new SignJWT(claims).setProtectedHeader({ alg: key.algorithm, kid, ...header }).sign(key.privateKey)
}

/** A token of any header and claims with any signature. */
export function assemble(header: unknown, claims: unknown, signature = ''): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part(header)}.${part(claims)}.${signature}`
}
