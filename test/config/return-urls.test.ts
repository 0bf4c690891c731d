import { describe, expect, it } from 'vitest'
import { load, refusals } from './world.ts'

describe('return_urls', () => {
  it('is a map of ids and addresses, normalized', async () => {
    const yaml = 'return_urls: {portal: "https://Portal.example", dev: "http://localhost:3000/done?lang=en"}'
    const { returnUrls } = await load(yaml)
    expect([...returnUrls]).toEqual([
      ['portal', 'https://portal.example/'],
      ['dev', 'http://localhost:3000/done?lang=en'],
    ])
  })

  it('is empty by default', async () => {
    expect((await load('')).returnUrls.size).toBe(0)
  })

  it.each([
    ['no URL', 'portal', 'expected a URL such as https://broker.example.com'],
    ['plain http elsewhere', 'http://portal.example', 'must be https; plain http is only for localhost'],
    ['another scheme', 'javascript:alert(1)', 'expected a URL such as https://broker.example.com'],
    ['an app of a phone', 'portal://done', 'expected a URL such as https://broker.example.com'],
    ['a user', 'https://u@portal.example', 'expected a URL without user and password'],
    ['a fragment', 'https://portal.example/#done', 'expected a URL without fragment'],
    [
      'what the broker adds',
      'https://portal.example/?receipt=x',
      'has "receipt" in its query, which the broker adds itself',
    ],
    ['more than fits', `https://portal.example/${'x'.repeat(1_002)}`, 'expected at most 1024 characters'],
  ])('refuses %s', async (_, url, words) => {
    expect(await refusals(`return_urls: {portal: "${url}"}`)).toEqual([
      `broker.yaml:1:15  return_urls.portal: ${words}`,
    ])
  })

  it('refuses ids that no request could name', async () => {
    expect(await refusals('return_urls: {Portal: "https://portal.example"}')).toEqual([
      expect.stringMatching(/return_urls\.Portal: expected 1 to 63 lower-case letters/),
    ])
  })

  it('takes 100 and not one more', async () => {
    const yaml = (count: number) =>
      `return_urls:\n${Array.from({ length: count }, (_, index) => `  p${index}: https://p.example\n`).join('')}`
    expect((await load(yaml(100))).returnUrls.size).toBe(100)
    expect(await refusals(yaml(101))).toEqual([expect.stringContaining('expected at most 100 of them')])
  })
})
