/** An answer as tests compare it. */
export interface Answered {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** Posts JSON, as some providers want it. */
export async function postJson(
  url: string,
  body: Record<string, unknown>,
  headers: Record<string, string> = {},
): Promise<Answered> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return answered(answer)
}

/** Reads an answer in JSON. */
export async function answered(response: Response | Promise<Response>): Promise<Answered> {
  const answer = await response
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}
