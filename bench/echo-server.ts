import { Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js'

const bytes = (message: Buffer) => message
const service: ServiceDefinition = {
  echo: {
    path: '/bench.Echo/Echo',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
}

/** The baseline: what grpc-js itself costs, without authentication, audit or anything else. */
const server = new Server()
server.addService(service, {
  echo: (call: { request: Buffer }, callback: (error: null, answer: Buffer) => void) =>
    callback(null, call.request),
})
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error
  process.stdout.write(`${port}\n`)
})
