import { inspect } from 'node:util'

const PLACEHOLDER = '[secret]'

/**
 * A value that no logger, error, template string or JSON can print.
 *
 * Tokens, client secrets, codes and keys are `Secret`s in the whole program; `expose()` marks the few
 * places where the value really leaves: a request to the provider, the sealing, the answer to a caller.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself. Do not let it reach a log, an error message or a page. */
  expose(): string {
    return this.#value
  }

  toString(): string {
    return PLACEHOLDER
  }

  toJSON(): string {
    return PLACEHOLDER
  }

  [inspect.custom](): string {
    return PLACEHOLDER
  }
}
