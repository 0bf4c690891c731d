import {
  type ClientOptions,
  type ClientReadableStream,
  credentials,
  makeClientConstructor,
} from '@grpc/grpc-js'
import { service as healthService } from 'grpc-health-check'
import type { decodeFailure } from './running-server.ts'

/** What a probe asks. */
export interface HealthClient {
  check(
    request: { service: string },
    callback: (error: Parameters<typeof decodeFailure>[0] | null, answer: { status: string }) => void,
  ): void
  watch(request: { service: string }): ClientReadableStream<{ status: string }>
  close(): void
}

/** A client of `grpc.health.v1` without a token. */
export function createHealthClient(port: number, options: ClientOptions = {}): HealthClient {
  const Client = makeClientConstructor(healthService, 'Health')
  return new Client(`127.0.0.1:${port}`, credentials.createInsecure(), options) as unknown as HealthClient
}
