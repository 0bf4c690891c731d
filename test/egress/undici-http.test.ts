import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { HttpError, type HttpRequest, RESPONSE_BYTES_MAX } from '../../src/egress/http.ts'
import { createHttp } from '../../src/egress/undici-http.ts'
import { Secret } from '../../src/secret.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  await Promise.all(closers.splice(0).map(close => close()))
})

async function serve(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  closers.push(
    () =>
      new Promise(resolve => {
        server.close(resolve)
        server.closeAllConnections()
      }),
  )
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Its servers are all on this machine. */
function http(hardTimeoutMs = 5_000) {
  const client = createHttp({ hardTimeoutMs, connectTimeoutMs: 500 })
  closers.push(() => client.close())
  const reach = { networks: ['127.0.0.1'] }
  return { send: (request: HttpRequest) => client.send(request, { reach }) }
}

const post = (url: string) =>
  ({
    method: 'POST',
    url: new Secret(url),
    headers: { 'content-type': 'text/plain', authorization: new Secret('canary') },
    body: new Secret('canary-body'),
  }) as const

describe('send()', () => {
  it('returns status, headers and body, whatever the status', async () => {
    const origin = await serve((request, response) => {
      response.writeHead(418, { 'x-test': request.headers.authorization }).end('body')
    })
    const answer = await http().send(post(`${origin}/token`))
    expect(answer.status).toBe(418)
    expect(answer.headers['x-test']).toBe('canary')
    expect(answer.body.expose()).toBe('body')
  })

  it('hands a redirect back instead of following it', async () => {
    let hits = 0
    const target = await serve((_request, response) => {
      hits++
      response.end()
    })
    const origin = await serve((_request, response) => {
      response.writeHead(307, { location: target }).end()
    })
    expect((await http().send(post(origin))).status).toBe(307)
    expect(hits).toBe(0)
  })

  it('says not_sent when nobody listens', async () => {
    const origin = await serve(() => {})
    await Promise.all(closers.splice(0).map(close => close()))
    await expect(http().send(post(origin))).rejects.toMatchObject({ failure: 'not_sent' })
  })

  it('says no_answer when the connection breaks after the request', async () => {
    const origin = await serve(request => request.socket.destroy())
    await expect(http().send(post(origin))).rejects.toMatchObject({ failure: 'no_answer' })
  })

  it('says no_answer when the answer is cut', async () => {
    const origin = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half', () => response.destroy())
    })
    await expect(http().send(post(origin))).rejects.toMatchObject({ failure: 'no_answer' })
  })

  it('gives up at the hard timeout', async () => {
    const origin = await serve(() => {})
    const error = await http(100)
      .send(post(origin))
      .catch(caught => caught)
    expect(error).toBeInstanceOf(HttpError)
    expect(error).toMatchObject({ failure: 'no_answer' })
  })

  it('takes a body of exactly the limit and refuses one byte more', async () => {
    let size = RESPONSE_BYTES_MAX
    const origin = await serve((_request, response) => response.end('x'.repeat(size)))
    expect((await http().send(post(origin))).body.expose()).toHaveLength(RESPONSE_BYTES_MAX)
    size++
    await expect(http().send(post(origin))).rejects.toMatchObject({ failure: 'too_large' })
  })

  it('refuses plain http beyond loopback without connecting', async () => {
    await expect(http().send(post('http://192.0.2.1/token'))).rejects.toThrow(
      'refused to send to 192.0.2.1 without TLS',
    )
  })

  it('does not speak plain http to a TLS port', async () => {
    const server = createTcpServer(socket =>
      socket
        .on('error', () => {})
        .resume()
        .end('not tls'),
    )
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    closers.push(() => new Promise(resolve => server.close(resolve)))
    const { port } = server.address() as AddressInfo
    await expect(http().send(post(`https://127.0.0.1:${port}/`))).rejects.toMatchObject({
      failure: 'not_sent',
    })
  })

  it('names neither path, query nor body in an error', async () => {
    const origin = await serve(request => request.socket.destroy())
    const error = (await http()
      .send(post(`${origin}/canary?canary=1`))
      .catch(caught => caught)) as Error
    expect(error.message).not.toContain('canary')
  })
})
