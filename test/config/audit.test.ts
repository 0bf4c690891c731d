import { describe, expect, it } from 'vitest'
import { load, refusals } from './world.ts'

const DAY = 86_400_000

describe('audit', () => {
  it.each([
    ['audit: {}', { retentionMs: 400 * DAY }],
    ['audit: {retention: 7d}', { retentionMs: 7 * DAY }],
    ['audit: {copy: stdout}', { retentionMs: 400 * DAY, copy: 'stdout' }],
    ['audit: {copy: {file: audit.ndjson}}', { retentionMs: 400 * DAY, copy: { file: '/srv/audit.ndjson' } }],
    ['audit: {copy: {file: /var/log/a}}', { retentionMs: 400 * DAY, copy: { file: '/var/log/a' } }],
  ])('is read: %s', async (yaml, expected) => {
    expect((await load(yaml)).audit).toEqual(expected)
  })

  it.each([
    ['audit: {retention: 6d}', '1:9  audit.retention: expected from 7d to 3650d'],
    ['audit: {retention: 3651d}', '1:9  audit.retention: expected from 7d to 3650d'],
    ['audit: {retention: forever}', '1:9  audit.retention: expected a duration such as 30s, 15m, 24h or 60d'],
    ['audit: {copy: syslog}', '1:9  audit.copy: expected stdout, or {file: PATH}'],
    ['audit: {copy: {path: x}}', '1:16  audit.copy.path: unknown key'],
    ['audit: {mode: off}', '1:9  audit.mode: unknown key'],
  ])('is refused: %s', async (yaml, line) => {
    expect(await refusals(yaml)).toContain(`broker.yaml:${line}`)
  })
})
