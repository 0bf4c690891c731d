import type { AccessToken } from '../gen/tokenbroker/v1/token_broker.ts'

/** The call of each provider's API that the walk makes. */
const PATHS: Readonly<Record<string, string>> = {
  oauth2: '/oauth2/api/me',
  pinterest: '/pinterest/v5/user_account',
  'tiktok-business': '/tiktok-business/open_api/v1.3/business/get/',
  'tiktok-login': '/tiktok-login/v2/user/info/?fields=open_id,display_name',
  square: '/square/v2/merchants/me',
}

/** How the provider took a token. */
export interface ApiAnswer {
  readonly isTaken: boolean
  /** For people, for example `401 Unauthorized`. */
  readonly words: string
}

/**
 * Calls the API of one provider with a token, presented as the broker says.
 *
 * @param accountId the provider's, which one API wants to hear beside the token
 */
export async function callApi(
  sandboxOrigin: string,
  dialect: string,
  { accessToken, presentation }: AccessToken,
  accountId: string,
): Promise<ApiAnswer> {
  const { headerName = 'authorization', valuePrefix = '', headers } = presentation ?? {}
  const url = new URL(PATHS[dialect] ?? '', sandboxOrigin)
  if (dialect === 'tiktok-business') url.searchParams.set('business_id', accountId)
  const answer = await fetch(url, { headers: { [headerName]: valuePrefix + accessToken, ...headers } })
  const { status, statusText } = answer
  const code = codeOf(await answer.json())
  if (code === undefined) return { isTaken: answer.ok, words: `${status} ${statusText}` }
  return { isTaken: code === 0, words: `${status} ${statusText}, code ${code}` }
}

/** TikTok for Business answers 200 to everything and says in `code` how it went. */
function codeOf(body: unknown): number | undefined {
  const isEnvelope = typeof body === 'object' && body !== null && 'code' in body && 'request_id' in body
  return isEnvelope && typeof body.code === 'number' ? body.code : undefined
}
