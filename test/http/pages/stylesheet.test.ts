import { describe, expect, it } from 'vitest'
import { STYLESHEET } from '../../../src/http/pages/stylesheet.ts'

const [lightRules = '', darkRules = ''] = STYLESHEET.split('prefers-color-scheme: dark')
const schemes = [
  ['light', colors(lightRules)],
  ['dark', { ...colors(lightRules), ...colors(darkRules) }],
] as const

/** Text and what it stands on, as the style sheet uses them. */
const PAIRS = [
  ['text', 'card'],
  ['muted', 'card'],
  ['muted', 'ground'],
  ['text', 'chip'],
  ['accent', 'card'],
  ['on-accent', 'accent'],
  ['on-accent', 'accent-hover'],
  ['text', 'warn-ground'],
  ['warn', 'warn-ground'],
  ['good', 'good-ground'],
  ['bad', 'bad-ground'],
  ['accent', 'accent-ground'],
] as const

function colors(rules: string): Record<string, string> {
  return Object.fromEntries(
    [...rules.matchAll(/--([\w-]+): #([0-9a-f]{3,6});/g)].map(([, name, hex]) => [name, hex]),
  )
}

/** Contrast as WCAG 2.2 defines it, from 1 to 21. */
function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

function luminance(hex: string): number {
  const full = hex.length === 3 ? hex.replace(/./g, '$&$&') : hex
  const [red = 0, green = 0, blue = 0] = [0, 2, 4].map(at => {
    const channel = Number.parseInt(full.slice(at, at + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

describe.each(schemes)('STYLESHEET in the %s', (_, scheme) => {
  it.each(PAIRS)('shows %s on %s with a contrast of at least 4.5', (text, ground) => {
    expect(contrast(scheme[text] ?? '', scheme[ground] ?? '')).toBeGreaterThanOrEqual(4.5)
  })
})

describe('contrast()', () => {
  it('agrees with the ends of the scale', () => {
    expect(contrast('fff', '000000')).toBeCloseTo(21)
    expect(contrast('777777', '777777')).toBe(1)
  })
})
