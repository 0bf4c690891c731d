import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ConsentFlow } from '../broker/consent/flow.ts'
import { Secret } from '../secret.ts'
import type { BindingCookie } from './binding-cookie.ts'
import { callbackParameters } from './callback-parameters.ts'
import type { HttpLimits } from './limits.ts'
import { pathOf } from './listener.ts'
import { confirmPage } from './pages/confirm-page.ts'
import { departurePage } from './pages/departure-page.ts'
import { foreignFormPage } from './pages/link-pages.ts'
import type { Page } from './pages/page.ts'
import { resultPage } from './pages/result-page.ts'
import { Refusal } from './refusal.ts'
import { isSameOrigin } from './same-origin.ts'

/** A consent link's path below the public URL; its token is base64url. */
const LINK_PATH = /^\/connect\/[\w-]+$/

/** What the routes need beside the application. */
export interface ConsentRoutesOptions {
  readonly flow: ConsentFlow
  readonly cookie: BindingCookie
  /** Scheme, host and port under which browsers reach the pages. */
  readonly publicOrigin: string
  readonly limits: HttpLimits
}

interface LinkRequest {
  Params: { link: string }
}

/** The methods that a path of the consent edge knows; empty where there is nothing. */
export function consentMethods(flow: ConsentFlow, path: string): readonly string[] {
  if (LINK_PATH.test(path)) return ['GET', 'HEAD', 'POST']
  // Not HEAD: whoever probes a callback must not use its state up.
  return flow.isRedirectPath(path) ? ['GET'] : []
}

/** Adds the three steps of consent: look at the link, leave for the provider, come back. */
export function addConsentRoutes(app: FastifyInstance, options: ConsentRoutesOptions): void {
  const { flow, cookie, publicOrigin, limits } = options

  /** Only looks: mail gateways and chat previews open every link they see. */
  async function look(request: FastifyRequest<LinkRequest>, reply: FastifyReply) {
    return send(reply, confirmPage(await flow.view(new Secret(request.params.link))))
  }

  /**
   * Leaves by a page and not by a redirect: Chromium applies the form's `form-action` to the whole chain of
   * redirects, and would strand the browser at an authorization server that redirects to a second origin.
   */
  async function leave(request: FastifyRequest<LinkRequest>, reply: FastifyReply) {
    if (!isSameOrigin(request.headers, publicOrigin)) return send(reply, foreignFormPage(publicOrigin))
    const binding = cookie.bind(request, reply)
    return send(reply, departurePage(await flow.start(new Secret(request.params.link), binding)))
  }

  /** Answers with the outcome itself: one address less in the history, and nothing to remember between two requests. */
  async function comeBack(request: FastifyRequest, reply: FastifyReply) {
    const path = pathOf(request)
    const parameters = callbackParameters(request.raw.url ?? '', limits.callbackParametersMax)
    if (parameters === undefined) throw new Refusal(400)
    return send(
      reply,
      resultPage(await flow.finish({ path, parameters, cookie: cookie.read(request), peer: request.ip })),
    )
  }

  app.route({ method: ['GET', 'HEAD'], url: '/connect/:link', handler: look })
  app.route({ method: 'POST', url: '/connect/:link', handler: leave })
  // Redirect paths are the operator's choice, `/` among them; `consentMethods` lets nothing else come here.
  app.route({ method: 'GET', url: '/*', handler: comeBack })
}

function send(reply: FastifyReply, page: Page): FastifyReply {
  if (page.location !== undefined) reply.header('location', page.location.expose())
  return reply.code(page.status).type('text/html; charset=utf-8').send(page.text)
}
