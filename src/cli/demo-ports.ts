import { createServer } from 'node:net'

/** Where the demo's servers listen; 0 takes any free port. */
export interface DemoPorts {
  readonly grpc: number
  readonly http: number
  readonly admin: number
  readonly sandbox: number
}

/** The ports that the documentation names. */
export const USUAL_PORTS: DemoPorts = { grpc: 50_051, http: 8085, admin: 8086, sandbox: 8087 }
/** Whatever is free: for many worlds side by side. */
export const ANY_PORTS: DemoPorts = { grpc: 0, http: 0, admin: 0, sandbox: 0 }

/** Each further attempt means that another program took a port within milliseconds. */
const ATTEMPTS_MAX = 5

/**
 * Starts something on ports that have to be known beforehand, because a configuration names them.
 *
 * A preferred port that is taken is replaced by a free one. What was free a moment ago may be taken when it is
 * listened on; then other ports are chosen, and `start` is called again.
 *
 * @param start must have left nothing open when it rejects
 * @throws what `start` rejects with, if that is not a taken port, or if ports were taken again and again
 */
export async function startOnFreePorts<Name extends string, Started>(
  host: string,
  preferred: Readonly<Record<Name, number>>,
  start: (ports: Readonly<Record<Name, number>>) => Promise<Started>,
): Promise<Started> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePorts(host, preferred))
    } catch (error) {
      if (attempt === ATTEMPTS_MAX || !isPortTaken(error)) throw error
    }
  }
}

/** All are held until the last is chosen, so that none is chosen twice. */
async function freePorts<Name extends string>(
  host: string,
  preferred: Readonly<Record<Name, number>>,
): Promise<Readonly<Record<Name, number>>> {
  const held: HeldPort[] = []
  try {
    const ports = {} as Record<Name, number>
    for (const name of Object.keys(preferred) as Name[]) {
      const port = await hold(host, preferred[name]).catch(() => hold(host, 0))
      held.push(port)
      ports[name] = port.port
    }
    return ports
  } finally {
    await Promise.all(held.map(({ release }) => release()))
  }
}

interface HeldPort {
  readonly port: number
  release(): Promise<void>
}

function hold(host: string, port: number): Promise<HeldPort> {
  return new Promise((fulfil, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, host, () => {
      const address = server.address()
      fulfil({
        port: typeof address === 'object' && address !== null ? address.port : port,
        release: () => new Promise(released => server.close(() => released())),
      })
    })
  })
}

/** Also where the system's error is the cause of one of ours. */
function isPortTaken(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return ('code' in error && error.code === 'EADDRINUSE') || isPortTaken(error.cause)
}
