import { z } from 'zod'
import { OPERATIONS, type Operation } from './dialect.ts'
import { parse } from './parse.ts'

/** The longest delay: beyond every deadline that a client can reasonably have. */
const DELAY_MS_MAX = 10 * 60_000
/** The largest answer: far beyond what a careful client reads. */
const HUGE_BYTES_MAX = 64 * 1024 * 1024
/** Large enough to be cut off by every client that has a limit. */
const HUGE_BYTES_DEFAULT = 1024 * 1024
/** A canned answer is a few lines. */
const CANNED_CHARACTERS_MAX = 64 * 1024

const delay = z.number().int().min(0).max(DELAY_MS_MAX).default(0)
const common = {
  operation: z.enum(OPERATIONS),
  /** Absent = every dialect. */
  dialect: z.string().optional(),
  /** Absent = every client. Only where requests name their client. */
  clientId: z.string().optional(),
  /** How many requests it is put upon; absent = all, until it is cleared. */
  times: z.number().int().positive().optional(),
  /** Milliseconds to wait before acting. */
  delayBeforeMs: delay,
  /** Milliseconds to wait between acting and answering. */
  delayAfterMs: delay,
}
/** Whether the request still has its effect on grants and tokens. */
const acts = z.boolean().default(false)
const status = z.number().int().min(200).max(599)
/** No header may be smuggled in. */
const headerText = z.string().regex(/^[\x20-\x7e]+$/, 'expected printable ASCII')

/** Answers made of the true one, which is why the request always acts. */
const odd = [
  'truncated_json',
  'cut_body',
  'wrong_content_type',
  'expires_null',
  'expires_string',
  'expires_negative',
  'expires_absent',
  'token_type_absent',
  'scope_array',
  'extra_fields',
] as const
/** Refusals that are not true; nothing is looked up or changed. */
const lies = ['invalid_grant', 'invalid_client', 'error_in_200'] as const
/** Answers that say nothing. */
const blank = ['drop', 'reset', 'empty', 'no_content', 'drip'] as const

const faultSchema = z.discriminatedUnion('answer', [
  z.strictObject({ ...common, answer: z.literal('normal') }),
  z.strictObject({ ...common, answer: z.enum(blank), acts }),
  z.strictObject({
    ...common,
    answer: z.literal('status'),
    acts,
    status: status.min(400).default(503),
    /** The header as it is sent: seconds or an HTTP date. */
    retryAfter: z.union([headerText, z.number().int()]).transform(String).optional(),
  }),
  z.strictObject({ ...common, answer: z.literal('html'), acts, status: status.default(200) }),
  z.strictObject({
    ...common,
    answer: z.literal('redirect'),
    acts,
    status: z.union([301, 302, 303, 307, 308].map(code => z.literal(code))).default(307),
    /** Absent = a place of the sandbox, under another origin, that counts who follows. */
    location: headerText.optional(),
  }),
  z.strictObject({
    ...common,
    answer: z.literal('canned'),
    acts,
    status: status.default(200),
    contentType: headerText.default('application/json'),
    body: z.string().max(CANNED_CHARACTERS_MAX),
  }),
  z.strictObject({ ...common, answer: z.enum(odd) }),
  z.strictObject({
    ...common,
    answer: z.literal('huge'),
    bytes: z.number().int().positive().max(HUGE_BYTES_MAX).default(HUGE_BYTES_DEFAULT),
  }),
  z.strictObject({ ...common, answer: z.enum(lies) }),
  z.strictObject({
    ...common,
    answer: z.literal('altered'),
    /** Members to put into the true answer's JSON; with `callback`, parameters of the redirect. */
    set: z.record(z.string(), z.json()).default({}),
    /** Members to take out of it. */
    remove: z.array(z.string()).default([]),
  }),
])

/** Every `answer` that a fault can have. */
export const FAULT_ANSWERS: readonly FaultRule['answer'][] = faultSchema.options.flatMap(
  ({ shape: { answer } }) => ('options' in answer ? answer.options : [answer.value]),
)

/** What goes wrong with a request: first a delay, then perhaps the deed, another delay, an answer. */
export type FaultRule = Readonly<z.output<typeof faultSchema>>
/** The same as it is written; `answer` defaults to `normal`, which only delays. */
export type FaultInput = DistributiveOptional<z.input<typeof faultSchema>, 'answer'>
type DistributiveOptional<Union, Key extends string> =
  | Union
  | (Union extends { answer: 'normal' } ? Omit<Union, Key> : never)

const TOKEN_OPERATIONS: readonly Operation[] = ['exchange', 'refresh']
const JSON_OPERATIONS: readonly Operation[] = [...TOKEN_OPERATIONS, 'verify', 'api', 'discovery']
const CLIENT_OPERATIONS: readonly Operation[] = ['authorize', 'callback', ...TOKEN_OPERATIONS, 'revoke']

/** Where an answer makes sense; those that are not named make sense everywhere. */
const OPERATIONS_OF: Partial<Record<FaultRule['answer'], readonly Operation[]>> = {
  truncated_json: JSON_OPERATIONS,
  cut_body: JSON_OPERATIONS,
  wrong_content_type: JSON_OPERATIONS,
  huge: JSON_OPERATIONS,
  expires_null: TOKEN_OPERATIONS,
  expires_string: TOKEN_OPERATIONS,
  expires_negative: TOKEN_OPERATIONS,
  expires_absent: TOKEN_OPERATIONS,
  token_type_absent: TOKEN_OPERATIONS,
  scope_array: TOKEN_OPERATIONS,
  extra_fields: TOKEN_OPERATIONS,
  invalid_grant: [...TOKEN_OPERATIONS, 'revoke'],
  invalid_client: [...TOKEN_OPERATIONS, 'revoke'],
  error_in_200: [...TOKEN_OPERATIONS, 'revoke'],
  altered: [...JSON_OPERATIONS, 'callback'],
}

const checkedSchema = faultSchema.superRefine((fault, check) => {
  const { answer, operation, clientId } = fault
  const fits = OPERATIONS_OF[answer] ?? OPERATIONS
  if (!fits.includes(operation)) {
    check.addIssue({
      code: 'custom',
      path: ['answer'],
      message: `"${answer}" goes with ${fits.join(', ')} only`,
    })
  }
  if (clientId !== undefined && !CLIENT_OPERATIONS.includes(operation)) {
    check.addIssue({
      code: 'custom',
      path: ['clientId'],
      message: `a request of "${operation}" does not name its client; leave it out`,
    })
  }
})

/** @throws SandboxError `invalid`, naming the field */
export function parseFault(input: unknown): FaultRule {
  const isObject = typeof input === 'object' && input !== null
  return parse(checkedSchema, isObject && !('answer' in input) ? { ...input, answer: 'normal' } : input)
}

/** Whether a request upon which this fault is put still changes state. */
export function stillActs(fault: FaultRule): boolean {
  if ('acts' in fault) return fault.acts
  return !(lies as readonly string[]).includes(fault.answer)
}
