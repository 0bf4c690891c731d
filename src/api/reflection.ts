import { readFileSync } from 'node:fs'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt'
import type { Server } from '@grpc/grpc-js'
import { ReflectionService } from '@grpc/reflection'
import { healthDescriptor } from './health-descriptor.ts'

/**
 * Adds `grpc.reflection.v1` and `v1alpha`, so that grpcurl and its like need no `.proto` files.
 *
 * The files are handed on as the compiler wrote them. Through proto-loader they would lose their imports, and
 * clients that link them, grpcurl and buf among them, would find no service.
 */
export function addReflection(server: Server): void {
  const bytes = readFileSync(new URL('../gen/descriptor.binpb', import.meta.url))
  const files = [...fromBinary(FileDescriptorSetSchema, bytes).file, healthDescriptor]
  new ReflectionService(packageOf(files)).addToServer(server)
}

type PackageDefinition = ConstructorParameters<typeof ReflectionService>[0]

/** The part of a package definition that reflection reads: any entry with the files of its descriptors. */
function packageOf(files: readonly FileDescriptorProto[]): PackageDefinition {
  const fileDescriptorProtos = files.map(file => Buffer.from(toBinary(FileDescriptorProtoSchema, file)))
  return { files: { format: 'Protocol Buffer 3 DescriptorProto', type: {}, fileDescriptorProtos } }
}
