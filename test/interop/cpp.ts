import { join } from 'node:path'
import { type CompiledClient, compileStep, createCompiledClient } from './compiled-client.ts'
import { missingPackages } from './debian-packages.ts'

/** Debian's own, which have Debian's gRPC; others may come first in PATH. */
const COMPILER = '/usr/bin/g++'
const LIBRARIES = '/usr/bin/pkg-config'
const PLUGIN = '/usr/bin/grpc_cpp_plugin'
const PROGRAM = new URL('cpp-client.cc', import.meta.url).pathname

/** Files of the API, without their ending; they hold services. */
const API = ['tokenbroker/v1/token_broker', 'tokenbroker/v1/admin']
/** What an error's details are read with. */
const ERRORS = ['google/rpc/code', 'google/rpc/status', 'google/rpc/error_details']

/** The Debian packages that are missing for {@link compileCppClient}. */
export function missingForCpp(): Promise<string[]> {
  return missingPackages({
    'g++': [COMPILER, '--version'],
    // It brings pkg-config along.
    'libgrpc++-dev': [LIBRARIES, '--exists', 'grpc++'],
    'libprotobuf-dev': [LIBRARIES, '--exists', 'protobuf'],
    'protobuf-compiler': ['protoc', '--version'],
    // Without input it has nothing to generate, and says so with success.
    'protobuf-compiler-grpc': [PLUGIN],
  })
}

/** A client of the C core of gRPC. Generates the stubs, as a C++ user does, and calls through them. */
export function compileCppClient(): Promise<CompiledClient> {
  return createCompiledClient(async folder => {
    const program = join(folder, 'cpp-client')
    await generate(folder)
    const messages = [...API, ...ERRORS].map(name => join(folder, `${name}.pb.cc`))
    const services = API.map(name => join(folder, `${name}.grpc.pb.cc`))
    const flags = await compileStep(LIBRARIES, ['--cflags', '--libs', 'grpc++', 'protobuf'])
    await compileStep(COMPILER, [
      ...['-std=c++17', '-O0', `-I${folder}`, '-o', program],
      ...[PROGRAM, ...messages, ...services],
      ...flags.trim().split(/\s+/),
    ])
    return program
  })
}

async function generate(folder: string): Promise<void> {
  await compileStep('protoc', [
    '--proto_path=proto',
    '--proto_path=node_modules/google-proto-files',
    `--plugin=protoc-gen-grpc=${PLUGIN}`,
    `--cpp_out=${folder}`,
    `--grpc_out=${folder}`,
    ...[...API, ...ERRORS].map(name => `${name}.proto`),
  ])
}
