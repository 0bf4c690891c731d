import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  type FieldDescriptorProtoSchema,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  type MethodDescriptorProtoSchema,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt'

const CHECK_REQUEST = '.grpc.health.v1.HealthCheckRequest'
const CHECK_RESPONSE = '.grpc.health.v1.HealthCheckResponse'
const LIST_REQUEST = '.grpc.health.v1.HealthListRequest'
const LIST_RESPONSE = '.grpc.health.v1.HealthListResponse'

/**
 * `grpc/health/v1/health.proto` as compilers see it. What proto-loader makes of that file cannot be linked:
 * it names the entries of maps in its own way.
 *
 * @see https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export const healthDescriptor: FileDescriptorProto = create(FileDescriptorProtoSchema, {
  name: 'grpc/health/v1/health.proto',
  package: 'grpc.health.v1',
  syntax: 'proto3',
  messageType: [
    { name: 'HealthListRequest' },
    {
      name: 'HealthListResponse',
      field: [
        field('statuses', 1, Type.MESSAGE, {
          label: Label.REPEATED,
          typeName: `${LIST_RESPONSE}.StatusesEntry`,
        }),
      ],
      nestedType: [
        {
          name: 'StatusesEntry',
          options: { mapEntry: true },
          field: [
            field('key', 1, Type.STRING),
            field('value', 2, Type.MESSAGE, { typeName: CHECK_RESPONSE }),
          ],
        },
      ],
    },
    { name: 'HealthCheckRequest', field: [field('service', 1, Type.STRING)] },
    {
      name: 'HealthCheckResponse',
      field: [field('status', 1, Type.ENUM, { typeName: `${CHECK_RESPONSE}.ServingStatus` })],
      enumType: [
        {
          name: 'ServingStatus',
          value: [
            { name: 'UNKNOWN', number: 0 },
            { name: 'SERVING', number: 1 },
            { name: 'NOT_SERVING', number: 2 },
            { name: 'SERVICE_UNKNOWN', number: 3 },
          ],
        },
      ],
    },
  ],
  service: [
    {
      name: 'Health',
      method: [
        method('Check', CHECK_REQUEST, CHECK_RESPONSE),
        { ...method('Watch', CHECK_REQUEST, CHECK_RESPONSE), serverStreaming: true },
        method('List', LIST_REQUEST, LIST_RESPONSE),
      ],
    },
  ],
})

type Field = MessageInitShape<typeof FieldDescriptorProtoSchema>

function field(name: string, number: number, type: Type, more: Pick<Field, 'label' | 'typeName'> = {}) {
  return { name, number, type, label: Label.OPTIONAL, jsonName: name, ...more }
}

function method(
  name: string,
  inputType: string,
  outputType: string,
): MessageInitShape<typeof MethodDescriptorProtoSchema> {
  return { name, inputType, outputType }
}
