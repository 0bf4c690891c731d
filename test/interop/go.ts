import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type CompiledClient, compileStep, createCompiledClient } from './compiled-client.ts'
import { missingPackages } from './debian-packages.ts'

/** Debian's own, which have Debian's gRPC; others may come first in PATH. */
const GO = '/usr/bin/go'
const MESSAGE_PLUGIN = '/usr/bin/protoc-gen-go'
const SERVICE_PLUGIN = '/usr/bin/protoc-gen-go-grpc'
const LIBRARIES = '/usr/share/gocode'
const PROGRAM = new URL('go-client.go', import.meta.url).pathname

const PROTOS = ['tokenbroker/v1/token_broker.proto', 'tokenbroker/v1/admin.proto']
/** Where Go code imports the stubs from; the files themselves name no package of Go. */
const IMPORT_PATH = 'tokenbroker/v1'

/** The Debian packages that are missing for {@link compileGoClient}. */
export function missingForGo(): Promise<string[]> {
  return missingPackages({
    'golang-go': [GO, 'version'],
    'golang-google-grpc-dev': ['test', '-e', `${LIBRARIES}/src/google.golang.org/grpc/clientconn.go`],
    // What 1.3, which can be installed instead, does not have.
    'golang-github-golang-protobuf-1-5-dev': [
      'test',
      '-e',
      `${LIBRARIES}/src/github.com/golang/protobuf/proto/registry.go`,
    ],
    'protobuf-compiler': ['protoc', '--version'],
    'protoc-gen-go': [MESSAGE_PLUGIN, '--version'],
    'protoc-gen-go-grpc': [SERVICE_PLUGIN, '--version'],
  })
}

/** A client of grpc-go. Generates the stubs, as a Go user does, and builds it without any network. */
export function compileGoClient(): Promise<CompiledClient> {
  return createCompiledClient(async folder => {
    const program = join(folder, 'go-client')
    await generate(join(folder, 'src'))
    await compileStep(GO, ['build', '-o', program, PROGRAM], {
      // Debian's libraries are no modules.
      GO111MODULE: 'off',
      GOPATH: `${folder}:${LIBRARIES}`,
      // No C compiler is needed, and no settings of the user.
      CGO_ENABLED: '0',
      GOENV: 'off',
      GOFLAGS: '',
    })
    return program
  })
}

async function generate(folder: string): Promise<void> {
  mkdirSync(folder)
  const importPaths = PROTOS.map(file => `M${file}=${IMPORT_PATH}`).join()
  await compileStep('protoc', [
    '--proto_path=proto',
    `--plugin=protoc-gen-go=${MESSAGE_PLUGIN}`,
    `--plugin=protoc-gen-go-grpc=${SERVICE_PLUGIN}`,
    `--go_out=${folder}`,
    `--go_opt=${importPaths}`,
    `--go-grpc_out=${folder}`,
    `--go-grpc_opt=${importPaths}`,
    ...PROTOS,
  ])
}
