import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { missingPackages } from './debian-packages.ts'
import type { ForeignClient, Target } from './foreign-client.ts'
import { runProgram } from './run-program.ts'

/** Debian's own, which has Debian's gRPC; another may come first in PATH. */
const PYTHON = '/usr/bin/python3'
const PLUGIN = '/usr/bin/grpc_python_plugin'
const PROGRAM = new URL('python-client.py', import.meta.url).pathname

/** The Debian packages that are missing for {@link createPythonClient}. */
export function missingForPython(): Promise<string[]> {
  return missingPackages({
    'python3-grpcio': [PYTHON, '-c', 'import grpc, google.protobuf'],
    'protobuf-compiler': ['protoc', '--version'],
    // Without input it has nothing to generate, and says so with success.
    'protobuf-compiler-grpc': [PLUGIN],
  })
}

/** A client of the C core of gRPC. Generates the stubs, as a Python user does, and calls through them. */
export async function createPythonClient({ grpcAddress }: Target): Promise<ForeignClient> {
  const stubs = mkdtempSync(join(tmpdir(), 'token-broker-python-'))
  const close = () => rmSync(stubs, { recursive: true, force: true })
  await generate(stubs).catch(error => {
    close()
    throw error
  })
  return {
    close,
    async call(method, request, token) {
      const { exitCode, stdout, stderr } = await runProgram(PYTHON, [PROGRAM, grpcAddress, method], {
        // A proxy of the environment is not for this machine's own ports.
        env: { PYTHONPATH: stubs, PYTHONDONTWRITEBYTECODE: '1', no_grpc_proxy: '127.0.0.1' },
        stdin: JSON.stringify({ token, request }),
      })
      if (exitCode !== 0) throw new Error(`the Python client failed: ${stderr}`)
      return JSON.parse(stdout)
    },
  }
}

async function generate(folder: string): Promise<void> {
  const { exitCode, stderr } = await runProgram('protoc', [
    '--proto_path=proto',
    '--proto_path=node_modules/google-proto-files',
    `--plugin=protoc-gen-grpc_python=${PLUGIN}`,
    `--python_out=${folder}`,
    `--grpc_python_out=${folder}`,
    'tokenbroker/v1/token_broker.proto',
    'tokenbroker/v1/admin.proto',
    'google/rpc/status.proto',
    'google/rpc/error_details.proto',
  ])
  if (exitCode !== 0) throw new Error(`protoc failed: ${stderr}`)
}
