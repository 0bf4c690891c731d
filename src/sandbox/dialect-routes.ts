import type { FastifyInstance } from 'fastify'
import { type AuthorizeParts, authorizeRoutes } from './authorize-routes.ts'
import { readRequest } from './incoming.ts'

/** Mounts one dialect's server below `/<its id>`, and its metadata where RFC 8414 section 3.1 looks for it. */
export function dialectRoutes(app: FastifyInstance, parts: AuthorizeParts): void {
  const { dialect, realm, serve, origin } = parts
  authorizeRoutes(app, parts)

  for (const { method, path, operation, answer } of dialect.endpoints) {
    // With a path in the issuer, the well-known part stands before that path.
    const paths = [
      `/${dialect.id}${path}`,
      ...(path.startsWith('/.well-known/') ? [`${path}/${dialect.id}`] : []),
    ]
    for (const url of paths) {
      app.route({
        method,
        url,
        handler(incoming, reply) {
          const request = readRequest(incoming)
          const act = () => answer(realm, request, `${origin()}/${dialect.id}`)
          const clientId = dialect.clientIdOf(request)
          return serve({ dialect, operation: operation(request), clientId, request, act }, reply)
        },
      })
    }
  }

  // Whoever follows a redirect of the fault "redirect" is seen here.
  app.route({
    method: ['GET', 'POST'],
    url: `/${dialect.id}/_trap`,
    handler(incoming, reply) {
      const request = readRequest(incoming)
      const clientId = dialect.clientIdOf(request)
      const act = () => ({ status: 200, json: { trapped: true } })
      return serve({ dialect, operation: 'trap', clientId, request, act }, reply)
    },
  })
}
