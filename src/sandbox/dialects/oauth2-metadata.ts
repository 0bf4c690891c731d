import type { Endpoint } from '../dialect.ts'

/**
 * The same document under both names. OpenID Connect's is there because many clients look only for it; this
 * server issues no ID tokens.
 */
export const metadataEndpoints: readonly Endpoint[] = [
  metadataAt('/.well-known/oauth-authorization-server'),
  metadataAt('/.well-known/openid-configuration'),
]

function metadataAt(path: string): Endpoint {
  return {
    method: 'GET',
    path,
    operation: () => 'discovery',
    answer: (_realm, _request, issuer) => ({ status: 200, json: metadata(issuer) }),
  }
}

/** RFC 8414 section 2. */
function metadata(issuer: string): object {
  const authentication = ['client_secret_basic', 'client_secret_post', 'none']
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    revocation_endpoint: `${issuer}/revoke`,
    userinfo_endpoint: `${issuer}/userinfo`,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: authentication,
    revocation_endpoint_auth_methods_supported: authentication,
    authorization_response_iss_parameter_supported: true,
  }
}
