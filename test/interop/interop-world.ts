import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ANY_PORTS } from '../../src/cli/demo-ports.ts'
import { createDemoWorld } from '../../src/cli/demo-world.ts'
import type { Target } from './foreign-client.ts'

/** A running broker whose provider `acme` is a sandbox that allows every consent at once. */
export interface InteropWorld extends Target {
  readonly sandboxOrigin: string
  stop(): Promise<void>
}

/** Starts it in this process, with its data in a temporary folder. */
export async function createInteropWorld(): Promise<InteropWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-interop-'))
  const removeFolder = () => rmSync(folder, { recursive: true, force: true })
  try {
    const { grpcAddress, tokenFile, sandboxOrigin, stop } = await createDemoWorld(folder, ANY_PORTS)
    return {
      grpcAddress,
      operatorToken: readFileSync(tokenFile, 'utf8').trim(),
      sandboxOrigin,
      async stop() {
        await stop()
        removeFolder()
      },
    }
  } catch (error) {
    removeFolder()
    throw error
  }
}
