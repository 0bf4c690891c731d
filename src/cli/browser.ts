import type { Environment } from '../config/environment.ts'
import type { Io } from './io.ts'

/**
 * Opens a page in the browser of the person at this machine, where there is one.
 *
 * @returns why not, as half a sentence; undefined once the browser was asked
 */
export async function showPage(url: string, io: Io): Promise<string | undefined> {
  const obstacle = isWebPage(url) ? whyNoBrowser(io.env, io.platform) : 'the link is no web page'
  if (obstacle !== undefined) return obstacle
  try {
    await io.openBrowser(url)
    return undefined
  } catch {
    return 'it could not be started'
  }
}

/** Why nobody at this machine would see a browser; undefined if somebody would. */
export function whyNoBrowser(env: Environment, platform: NodeJS.Platform): string | undefined {
  if (env.CI) return 'this is a CI run'
  if (env.SSH_CONNECTION || env.SSH_TTY) return 'this is a remote session'
  if (platform === 'darwin' || platform === 'win32') return undefined
  // WSL has no display of its own, but Windows has.
  const hasDisplay = env.DISPLAY || env.WAYLAND_DISPLAY || env.WSL_DISTRO_NAME
  return hasDisplay ? undefined : 'there is no display'
}

/** The opener starts whatever it is given, files and programs too. */
function isWebPage(url: string): boolean {
  return /^https?:$/.test(URL.parse(url)?.protocol ?? '')
}
