import { createRequire } from 'node:module'
import { create, createFileRegistry, fromBinary } from '@bufbuild/protobuf'
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt'
import {
  type ClientDuplexStream,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
  status,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { service as healthService } from 'grpc-health-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { healthDescriptor } from '../../src/api/health-descriptor.ts'
import { ADMIN_METHODS, TOKEN_BROKER_METHODS } from '../../src/config/methods.ts'
import {
  bearer,
  callerNamed,
  failureOf,
  OPERATOR_TOKEN,
  type RunningServer,
  startServer,
} from './running-server.ts'

interface Answer {
  readonly listServicesResponse?: { readonly service: readonly { readonly name: string }[] }
  readonly fileDescriptorResponse?: { readonly fileDescriptorProto: readonly Buffer[] }
  readonly errorResponse?: { readonly errorCode: number }
}

let running: RunningServer
beforeAll(async () => {
  running = await startServer({ callers: [callerNamed('nobody')] })
})
afterAll(() => running.stop())

/** Opens the stream of one version of the protocol. */
function openReflection(version: string, metadata: Metadata): ClientDuplexStream<object, Answer> {
  const folder = createRequire(import.meta.url).resolve('@grpc/reflection/build/src/index.js')
  const proto = new URL(`../proto/grpc/reflection/${version}/reflection.proto`, `file://${folder}`)
  const { grpc } = loadPackageDefinition(loadSync(proto.pathname)) as unknown as {
    grpc: { reflection: Record<string, { ServerReflection: ServiceClientConstructor }> }
  }
  const { ServerReflection } = grpc.reflection[version] ?? {}
  if (ServerReflection === undefined) throw new Error(`no reflection ${version}`)
  const client = new ServerReflection(`127.0.0.1:${running.port}`, credentials.createInsecure())
  const open = client.ServerReflectionInfo as (metadata: Metadata) => ClientDuplexStream<object, Answer>
  const stream = open.call(client, metadata)
  stream.once('status', () => client.close())
  return stream
}

/** Asks one question. */
function reflect(version: string, question: object, metadata = bearer(OPERATOR_TOKEN)): Promise<Answer> {
  const stream = openReflection(version, metadata)
  return new Promise((resolve, reject) => {
    stream.once('data', resolve)
    stream.once('error', reject)
    stream.end(question)
  })
}

/** Links the files that describe a symbol as strictly as compilers do: each after what it imports. */
async function describeService(version: string, symbol: string) {
  const { fileDescriptorResponse } = await reflect(version, { fileContainingSymbol: symbol })
  const bytes = fileDescriptorResponse?.fileDescriptorProto ?? []
  const files = new Map(
    bytes.map(each => fromBinary(FileDescriptorProtoSchema, each)).map(file => [file.name, file]),
  )
  const ordered = new Set<FileDescriptorProto>()
  const visit = (file: FileDescriptorProto | undefined) => {
    if (file === undefined) throw new Error('an import is missing')
    for (const name of file.dependency) visit(files.get(name))
    ordered.add(file)
  }
  for (const file of files.values()) visit(file)
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [...ordered] })).getService(symbol)
}

describe.each(['v1', 'v1alpha'])('reflection %s', version => {
  it.each([
    ['no token', new Metadata()],
    ['an unknown token', bearer('unknown')],
  ])('refuses %s', async (_, metadata) => {
    expect(await failureOf(reflect(version, { listServices: '' }, metadata))).toMatchObject({
      code: status.UNAUTHENTICATED,
      reason: 'CALLER_UNAUTHENTICATED',
    })
  })

  it('lists both services and health to any caller', async () => {
    const answer = await reflect(version, { listServices: '' }, bearer('nobody'))
    expect(answer.listServicesResponse?.service.map(({ name }) => name).sort()).toEqual([
      'grpc.health.v1.Health',
      'tokenbroker.v1.AdminService',
      'tokenbroker.v1.TokenBrokerService',
    ])
  })

  it.each([
    ['tokenbroker.v1.TokenBrokerService', TOKEN_BROKER_METHODS],
    ['tokenbroker.v1.AdminService', ADMIN_METHODS],
    ['grpc.health.v1.Health', ['Check', 'Watch', 'List']],
  ])('describes %s so that it can be linked', async (symbol, methods) => {
    const service = await describeService(version, symbol)
    expect(service?.methods.map(({ name }) => name)).toEqual([...methods])
  })

  it('does not know what does not exist', async () => {
    const { errorResponse } = await reflect(version, { fileContainingSymbol: 'tokenbroker.v1.Nothing' })
    expect(errorResponse?.errorCode).toBe(status.NOT_FOUND)
  })
})

describe('healthDescriptor', () => {
  it('describes the service that is served', () => {
    const served = Object.values(healthService).map(({ path, responseStream }) => [path, responseStream])
    const described = healthDescriptor.service.flatMap(({ name, method }) =>
      method.map(each => [`/${healthDescriptor.package}.${name}/${each.name}`, each.serverStreaming]),
    )
    expect(described).toEqual(served)
  })
})
