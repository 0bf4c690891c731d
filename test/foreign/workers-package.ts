import { registerHooks } from 'node:module'

/** All that the package takes from its platform: a base class, and nothing of what it does. */
const PLATFORM = `data:text/javascript,${encodeURIComponent(
  'export class WorkerEntrypoint { constructor(ctx, env) { this.ctx = ctx; this.env = env } }',
)}`

/** Loads `@cloudflare/workers-oauth-provider`, which was made for Cloudflare Workers, on Node. */
export async function importWorkersOAuthProvider() {
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'cloudflare:workers' ? { url: PLATFORM, shortCircuit: true } : next(specifier, context),
  })
  try {
    return await import('@cloudflare/workers-oauth-provider')
  } finally {
    hooks.deregister()
  }
}
