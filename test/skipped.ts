/**
 * What a test's title says where a program is missing; empty where it is there.
 *
 * @throws Error where `CI` is set to anything but `false`: there a skipped test would go unnoticed
 */
export function skippedWithout(program: string, isThere: boolean, { CI = '' } = process.env): string {
  if (isThere) return ''
  if (CI !== '' && CI !== 'false') throw new Error(`CI skips nothing, and ${program} is missing`)
  return ` (skipped: ${program} is missing)`
}
