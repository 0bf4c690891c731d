import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A running program that answers each line of its input by one line. */
export interface LineProgram {
  /** Rejects, with what the program said last, if it ends or does not answer in time. The line must hold no line break. */
  ask(line: string): Promise<string>
  /** Ends its input and waits until it is gone. */
  close(): Promise<void>
}

interface Question {
  readonly resolve: (answer: string) => void
  readonly reject: (error: Error) => void
}

/** Longer than any call takes, and shorter than a test may. */
const ANSWER_MS_MAX = 45_000
/** A program that goes on for longer without input is killed. */
const END_MS_MAX = 5_000
/** Enough for a stack trace. */
const STDERR_CHARS_MAX = 10_000

/** Starts a program whose own start is too slow to be paid at each call. */
export function startLineProgram(file: string, args: readonly string[]): LineProgram {
  const child = spawn(file, args)
  const questions: Question[] = []
  let stderr = ''
  let ended: Error | undefined

  const end = (why: string) => {
    ended ??= new Error(`${file} ${why}: ${stderr}`)
    for (const { reject } of questions.splice(0)) reject(ended)
  }
  const closed = new Promise<void>(resolve => {
    child.once('error', error => {
      end(error.message)
      resolve()
    })
    child.once('close', exitCode => {
      end(`ended with ${exitCode}`)
      resolve()
    })
  })
  // Answers come in the order of the questions.
  createInterface({ input: child.stdout }).on('line', line => questions.shift()?.resolve(line))
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr = (stderr + text).slice(-STDERR_CHARS_MAX)
  })
  // A program that ends without reading its input is told by its exit code.
  child.stdin.on('error', () => {})

  return {
    async ask(line) {
      if (ended) throw ended
      const late = setTimeout(() => {
        end('did not answer in time')
        child.kill('SIGKILL')
      }, ANSWER_MS_MAX)
      const answer = new Promise<string>((resolve, reject) => questions.push({ resolve, reject }))
      child.stdin.write(`${line}\n`)
      return answer.finally(() => clearTimeout(late))
    },
    async close() {
      const late = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX)
      child.stdin.end()
      await closed
      clearTimeout(late)
    },
  }
}
