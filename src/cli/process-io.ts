import { createInterface } from 'node:readline/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { captureEnvironment } from '../config/environment.ts'
import type { Io } from './io.ts'
import { collectText } from './read-input.ts'

/** The {@link Io} of this process. */
export function processIo(): Io {
  process.stdout.on('error', leaveOnClosedPipe)
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    env: captureEnvironment(),
    platform: process.platform,
    now: Date.now,
    sleep: (ms, signal) => delay(ms, undefined, { signal }).catch(() => undefined),
    ...(process.stdin.isTTY && process.stderr.isTTY && { ask }),
    readStdin: bytesMax => collectText(process.stdin, bytesMax),
    untilInterrupted,
    openBrowser,
  }
}

/** `token-broker list | head -1`: a reader that has seen enough is no failure. */
function leaveOnClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
  process.exit()
}

async function ask(question: string): Promise<string> {
  // On stderr, so that the question is seen although stdout goes into a file.
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await terminal.question(question)
  } catch {
    return '' // Ctrl-C or Ctrl-D: no answer.
  } finally {
    terminal.close()
  }
}

function untilInterrupted(): AbortSignal {
  const controller = new AbortController()
  // Once: a second Ctrl-C ends the process at once, as people expect.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort())
  return controller.signal
}

async function openBrowser(url: string): Promise<void> {
  const { default: open } = await import('open')
  await open(url, { wait: false })
}
