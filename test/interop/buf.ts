import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { ErrorInfo } from '../../src/gen/google/rpc/error_details.ts'
import type { ForeignAnswer, ForeignClient, Target } from './foreign-client.ts'
import { runProgram } from './run-program.ts'

const BUF = fileURLToPath(new URL('../../node_modules/.bin/buf', import.meta.url))
/** `buf curl` exits with the gRPC code shifted by three bits; anything below is a failure of its own. */
const RPC_EXIT_MIN = 8

interface BufError {
  readonly code: string
  readonly details?: readonly { readonly type: string; readonly value: string }[]
}

/** `buf curl`, a client of connect-go that knows the API from reflection alone. */
export function createBufClient({ grpcAddress, operatorToken }: Target): ForeignClient {
  const base = ['curl', '--protocol', 'grpc', '--http2-prior-knowledge']
  // Reflection wants a caller too, also where the call itself is to come without one.
  const reflect = ['--reflect-header', bearer(operatorToken)]
  return {
    async call(method, request, token) {
      const header = token === null ? [] : ['-H', bearer(token)]
      const url = `http://${grpcAddress}/tokenbroker.v1.${method}`
      const { exitCode, stdout, stderr } = await runProgram(
        BUF,
        [...base, ...reflect, ...header, '-d', JSON.stringify(request), url],
        // Far from this repository, where buf would find the API's files.
        { cwd: tmpdir(), isEnough: stdout => firstDocument(stdout) !== undefined },
      )
      const response = firstDocument(stdout)
      if (response !== undefined) return { response }
      if (exitCode === null || exitCode < RPC_EXIT_MIN) throw new Error(`buf curl failed: ${stderr}`)
      return answerFrom(JSON.parse(stderr))
    },
  }
}

/** The first message of a stream, or the only one; undefined while it is not there whole. An empty one is `{}`. */
function firstDocument(stdout: string): Record<string, unknown> | undefined {
  for (let end = stdout.indexOf('\n'); end >= 0; end = stdout.indexOf('\n', end + 1)) {
    try {
      return JSON.parse(stdout.slice(0, end))
    } catch {
      // The document has more lines.
    }
  }
  return undefined
}

function bearer(token: string): string {
  return `authorization: Bearer ${token}`
}

function answerFrom({ code, details = [] }: BufError): ForeignAnswer {
  const detail = details.find(({ type }) => type === 'google.rpc.ErrorInfo')
  const info = detail && ErrorInfo.decode(Buffer.from(detail.value, 'base64'))
  return { code: code.toUpperCase(), reason: info?.domain === 'tokenbroker' ? info.reason : '' }
}
