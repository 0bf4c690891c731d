import { describe, expect, it } from 'vitest'
import { showPage, whyNoBrowser } from '../../src/cli/browser.ts'
import type { Io } from '../../src/cli/io.ts'

describe('whyNoBrowser()', () => {
  it.each([
    ['in CI', { CI: 'true', DISPLAY: ':0' }, 'linux', 'this is a CI run'],
    [
      'over SSH, even with X forwarding',
      { SSH_CONNECTION: '1', DISPLAY: ':10' },
      'linux',
      'this is a remote session',
    ],
    ['over SSH to a Mac', { SSH_TTY: '/dev/pts/1' }, 'darwin', 'this is a remote session'],
    ['on Linux without a display', {}, 'linux', 'there is no display'],
    ['on Linux with X', { DISPLAY: ':0' }, 'linux', undefined],
    ['on Linux with Wayland', { WAYLAND_DISPLAY: 'wayland-0' }, 'linux', undefined],
    ['in WSL', { WSL_DISTRO_NAME: 'Debian' }, 'linux', undefined],
    ['on a Mac', {}, 'darwin', undefined],
    ['on Windows', {}, 'win32', undefined],
  ] as const)('%s', (_, env, platform, expected) => {
    expect(whyNoBrowser(env, platform)).toBe(expected)
  })
})

describe('showPage()', () => {
  it.each(['file:///etc/passwd', 'javascript:alert(1)', '--help', '/bin/sh'])('opens no %s', async url => {
    const opened: string[] = []
    const io = {
      env: { DISPLAY: ':0' },
      platform: 'linux',
      openBrowser: async (url: string) => {
        opened.push(url)
      },
    } as unknown as Io
    expect(await showPage(url, io)).toBe('the link is no web page')
    expect(opened).toEqual([])
  })
})
