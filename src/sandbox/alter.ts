import type { Answer, Dialect } from './dialect.ts'
import type { FaultRule } from './fault.ts'

/** Changes to the members of a JSON answer or to the parameters of a redirect. */
export interface Alteration {
  readonly set?: Readonly<Record<string, unknown>>
  readonly remove?: readonly string[]
}

type Members = Readonly<Record<string, unknown>>

/**
 * Makes the true answer of a token request odd, as some real server's answers are.
 *
 * A refusal stays as it is: there is nothing in it to be odd about.
 */
export function oddly(oddity: FaultRule['answer'], answer: Answer, layout: Dialect['tokenAnswer']): Answer {
  const members = membersBelow(answer, layout.root)
  if (answer.status !== 200 || members === undefined) return answer
  return altered(answer, alterationFor(oddity, members, layout), layout.root)
}

function alterationFor(
  oddity: FaultRule['answer'],
  members: Members,
  { expires, tokenType, scope = 'scope' }: Dialect['tokenAnswer'],
): Alteration {
  const isNumber = typeof members[expires] === 'number'
  switch (oddity) {
    case 'expires_null':
      return { set: { [expires]: null } }
    case 'expires_string':
      return { set: { [expires]: isNumber ? String(members[expires]) : 'soon' } }
    case 'expires_negative':
      return { set: { [expires]: isNumber ? -1 : '1969-12-31T23:59:59Z' } }
    case 'expires_absent':
      return { remove: [expires] }
    case 'token_type_absent':
      return { remove: [tokenType] }
    case 'scope_array':
      return { set: { [scope]: String(members[scope] ?? '').split(/[ ,]+/) } }
    case 'extra_fields':
      return {
        set: { unknown_object: { list: [1, 'two', null] }, unknown_text: 'ignore me', unknown_null: null },
      }
    default:
      return {}
  }
}

/**
 * Applies an alteration to the JSON of an answer, or to where it redirects.
 *
 * @param root the member that holds what is altered; absent = the top
 */
export function altered(answer: Answer, alteration: Alteration, root?: string): Answer {
  const location = answer.headers?.location
  if (location !== undefined) {
    return { ...answer, headers: { ...answer.headers, location: alteredUrl(location, alteration) } }
  }
  const members = membersBelow(answer, root)
  if (members === undefined) return answer
  const json = alteredMembers(members, alteration)
  return { ...answer, json: root === undefined ? json : { ...membersOf(answer.json), [root]: json } }
}

function membersBelow(answer: Answer, root: string | undefined): Members | undefined {
  const top = membersOf(answer.json)
  return root === undefined ? top : membersOf(top?.[root])
}

function membersOf(value: unknown): Members | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Members) : undefined
}

function alteredMembers(members: Members, { set = {}, remove = [] }: Alteration): Members {
  return Object.fromEntries(Object.entries({ ...members, ...set }).filter(([name]) => !remove.includes(name)))
}

/** A list sets a parameter as often as it has entries. */
function alteredUrl(location: string, { set = {}, remove = [] }: Alteration): string {
  const url = new URL(location)
  for (const name of [...remove, ...Object.keys(set)]) url.searchParams.delete(name)
  for (const [name, value] of Object.entries(set)) {
    for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(one))
  }
  return url.href
}
