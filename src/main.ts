#!/usr/bin/env node
// Checks the runtime before anything is loaded: on an older Node a dependency would crash while it is
// imported, and nobody would learn why. Hence no static imports here, and no syntax newer than Node 12.

/** The same as `engines` in package.json; what undici 8 and better-sqlite3 13 need. */
const NODE_MAJOR_MIN = 22
const NODE_MINOR_MIN = 19
/** EX_CONFIG of sysexits.h, as in cli/exit.ts. */
const EXIT_CONFIGURATION = 78

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major < NODE_MAJOR_MIN || (major === NODE_MAJOR_MIN && minor < NODE_MINOR_MIN)) {
  process.stderr.write(
    `token-broker needs Node.js ${NODE_MAJOR_MIN}.${NODE_MINOR_MIN} or newer and found ${process.versions.node}: ` +
      'install a newer one, or use the pinned one that `npm ci` installs and `npm run` uses, as in `npm run demo`.\n',
  )
  process.exitCode = EXIT_CONFIGURATION
} else {
  import('./cli/cli.ts').then(cli => cli.runProcess())
}
