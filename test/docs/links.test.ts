import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const FOLDERS = ['.', 'docs', 'docs/providers']

const pages = FOLDERS.flatMap(folder =>
  readdirSync(join(ROOT, folder))
    .filter(name => name.endsWith('.md'))
    .map(name => join(ROOT, folder, name)),
)

/** Where links lead that leave neither the repository nor, with `#…` alone, the page. */
function linksOf(text: string): string[] {
  const withoutCode = text.replaceAll(/^ *```[\s\S]*?^ *```$/gm, '')
  const links = [...withoutCode.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
  return links.filter(link => !/^[a-z]+:/.test(link))
}

/** The anchors of a page's headings, as GitHub and GitLab make them. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = '']) => heading)
  return headings.map(heading =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-'),
  )
}

function isBroken(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? page : resolve(dirname(page), path)
  if (relative(ROOT, target).startsWith('..') || !existsSync(target)) return true
  return anchor !== undefined && !anchorsOf(readFileSync(target, 'utf8')).includes(anchor)
}

describe('links', () => {
  it.each([
    ['CHANGELOG.md', false],
    ['docs/cli.md#exit-codes', false],
    ['docs/nothing.md', true],
    ['docs/cli.md#nothing', true],
    ['../outside.md', true],
  ])('to %s of a page at the top are broken: %s', (link, expected) => {
    expect(isBroken(join(ROOT, 'README.md'), link)).toBe(expected)
  })

  it.each(pages.map(page => [relative(ROOT, page), page]))('of %s lead somewhere', (_, page = '') => {
    const links = linksOf(readFileSync(page, 'utf8'))
    expect(links.filter(link => isBroken(page, link))).toEqual([])
  })
})
