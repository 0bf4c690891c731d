import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { missingPackages } from './debian-packages.ts'
import type { ForeignClient, Target } from './foreign-client.ts'
import { runProgram } from './run-program.ts'

/** Debian's own, which has Debian's gRPC; another may come first in PATH. */
const RUBY = '/usr/bin/ruby'
const PLUGIN = '/usr/bin/grpc_ruby_plugin'
const PROGRAM = new URL('ruby-client.rb', import.meta.url).pathname

/** The Debian packages that are missing for {@link createRubyClient}. */
export function missingForRuby(): Promise<string[]> {
  return missingPackages({
    // It brings Ruby, protobuf and google.rpc along.
    'ruby-grpc': [RUBY, '-e', 'require "grpc"; require "google/rpc/error_details_pb"'],
    'protobuf-compiler': ['protoc', '--version'],
    // Without input it has nothing to generate, and says so with success.
    'protobuf-compiler-grpc': [PLUGIN],
  })
}

/** Another client of the C core of gRPC. Generates the stubs, as a Ruby user does, and calls through them. */
export async function createRubyClient({ grpcAddress }: Target): Promise<ForeignClient> {
  const stubs = mkdtempSync(join(tmpdir(), 'token-broker-ruby-'))
  const close = () => rmSync(stubs, { recursive: true, force: true })
  await generate(stubs).catch(error => {
    close()
    throw error
  })
  return {
    close,
    async call(method, request, token) {
      const { exitCode, stdout, stderr } = await runProgram(RUBY, [PROGRAM, grpcAddress, method], {
        // A proxy of the environment is not for this machine's own ports.
        env: { RUBYLIB: stubs, no_grpc_proxy: '127.0.0.1' },
        stdin: JSON.stringify({ token, request }),
      })
      if (exitCode !== 0) throw new Error(`the Ruby client failed: ${stderr}`)
      return JSON.parse(stdout)
    },
  }
}

async function generate(folder: string): Promise<void> {
  const { exitCode, stderr } = await runProgram('protoc', [
    '--proto_path=proto',
    `--plugin=protoc-gen-grpc=${PLUGIN}`,
    `--ruby_out=${folder}`,
    `--grpc_out=${folder}`,
    'tokenbroker/v1/token_broker.proto',
    'tokenbroker/v1/admin.proto',
  ])
  if (exitCode !== 0) throw new Error(`protoc failed: ${stderr}`)
}
