import type { HttpResponse } from '../egress/http.ts'
import type { Definition, Operation, SuccessRule } from '../providers/definition.ts'
import { readBody, valueAt } from './json.ts'

/** Whether an answer is a success: a 2xx for which every predicate of the definition holds. */
export function isSuccess(definition: Definition, operation: Operation, response: HttpResponse): boolean {
  if (response.status < 200 || response.status > 299) return false
  const rules = operation.success ?? definition.success
  const body = readBody(response.body)
  return rules.every(rule => holds(rule, body))
}

function holds(rule: SuccessRule, body: unknown): boolean {
  const value = valueAt(body, rule.at)
  if (rule.absent !== undefined && (value === undefined) !== rule.absent) return false
  return rule.equals === undefined || value === rule.equals
}
