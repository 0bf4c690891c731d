/** Where in the configuration something stands, from the top: keys of maps and indexes of lists. */
export type ConfigPath = readonly PropertyKey[]

/** One thing that is wrong with the configuration. Holds no secret. */
export interface Problem {
  /** The file as the operator named it, or `environment`. */
  readonly origin: string
  /** From 1; absent where the origin is not a text, or the whole of it is meant. */
  readonly line?: number
  /** From 1, in characters; absent where `line` is. */
  readonly column?: number
  /** `providers.acme.client_secret`, or the name of a variable; empty where the whole origin is meant. */
  readonly path: string
  /** What is wrong and what would be right. */
  readonly message: string
  /** Whether it may pass by itself, as when a secret manager does not answer. Absent = no. */
  readonly mayPass?: boolean
}

/** Takes down what is wrong with the value at a path. */
export type Report = (path: ConfigPath, message: string, mayPass?: boolean) => void

/** Lines printed of one failed start; a file that is no configuration at all has thousands of mistakes. */
export const PROBLEM_LINES_MAX = 50

/** The configuration cannot be used. Its message is every problem, one per line. */
export class ConfigError extends Error {
  /** At least one; those of the file in the order of its lines. */
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    const inOrder = [...unique(problems)].sort(byPlace)
    super(formatProblems(inOrder))
    this.name = 'ConfigError'
    this.problems = inOrder
  }

  /** Whether everything that is wrong may pass by itself. */
  get mayPass(): boolean {
    return this.problems.every(({ mayPass }) => mayPass === true)
  }
}

/**
 * Prints problems for people: `broker.yaml:12:5  providers.acme.client_secret: is missing`, one per line.
 * After {@link PROBLEM_LINES_MAX} lines the rest is only counted.
 */
export function formatProblems(problems: readonly Problem[]): string {
  const lines = problems.slice(0, PROBLEM_LINES_MAX).map(formatProblem)
  const rest = problems.length - lines.length
  return (rest > 0 ? [...lines, `and ${rest} more`] : lines).join('\n')
}

function formatProblem({ origin, line, column, path, message }: Problem): string {
  const place = line === undefined ? origin : `${origin}:${line}:${column ?? 1}`
  return path === '' ? `${place}  ${message}` : `${place}  ${path}: ${message}`
}

/** Prints a path as `callers[0].allow`; a key that is not a plain word stands in quotes. */
export function formatPath(path: ConfigPath): string {
  return path.map(formatStep).join('').replace(/^\./, '')
}

function formatStep(step: PropertyKey): string {
  if (typeof step === 'number') return `[${step}]`
  const key = String(step)
  return /^[\w-]+$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}

function byPlace(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0)
}

/** Anchors and the short form of definitions can lead to one place by several ways. */
function unique(problems: readonly Problem[]): Iterable<Problem> {
  return new Map(problems.map(problem => [formatProblem(problem), problem])).values()
}
