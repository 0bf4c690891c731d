import type { Server } from '@grpc/grpc-js'
import { HealthImplementation } from 'grpc-health-check'

/** `grpc.health.v1`, for the whole server and for each of its services alike. */
export interface Health {
  addTo(server: Server): void
  setServing(serving: boolean): void
}

/** Creates the health service; not serving until told. */
export function createHealth(services: readonly string[]): Health {
  // The empty name stands for the whole server.
  const names = ['', ...services]
  const health = new HealthImplementation(Object.fromEntries(names.map(name => [name, 'NOT_SERVING'])))
  return {
    addTo: server => health.addToServer(server),
    setServing(serving) {
      for (const name of names) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING')
    },
  }
}
