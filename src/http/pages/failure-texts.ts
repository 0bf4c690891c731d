import type { ConsentFailure } from '../../broker/consent/flow.ts'

/** How a failed consent is told to the person who tried. `{provider}` stands for the provider's id. */
export interface FailureText {
  readonly status: number
  readonly title: string
  /** What happened. */
  readonly what: string
  /** What was kept. */
  readonly kept: string
  /** What to do next. */
  readonly next: string
}

const UNCHANGED = 'Nothing was changed: what was connected before still works.'
const TRY_AGAIN =
  'Ask whoever sent the link for a new one and try again. If it fails again, pass the details below on to whoever runs this service.'

/** One text for each reason; the status tells a monitor whose fault it was. */
export const FAILURE_TEXTS: Readonly<Record<ConsentFailure, FailureText>> = {
  DENIED: {
    status: 200,
    title: 'Access was not given',
    what: 'The request was declined at {provider}.',
    kept: UNCHANGED,
    next: 'If you did not mean to decline, ask whoever sent the link for a new one and allow the access there.',
  },
  PROVIDER_ERROR: {
    status: 502,
    title: 'The provider reported an error',
    what: '{provider} sent you back with an error instead of an approval.',
    kept: UNCHANGED,
    next: TRY_AGAIN,
  },
  EXCHANGE_FAILED: {
    status: 502,
    title: 'The provider gave no token',
    what: 'You came back with an approval, but {provider} did not turn it into a token.',
    kept: UNCHANGED,
    next: TRY_AGAIN,
  },
  ACCOUNT_CHANGED: {
    status: 409,
    title: 'That was another account',
    what: 'You approved with another account at {provider} than the one that is connected. This link does not allow a change, because callers would silently get somebody else’s data.',
    kept: UNCHANGED,
    next: 'Ask for a new link. Then sign in with the account that is connected now, or ask for a link that allows the change.',
  },
  SCOPES_MISSING: {
    status: 409,
    title: 'Not everything was allowed',
    what: 'This connection needs all that was asked for, and {provider} says that some of it was not allowed. The new approval was given back.',
    kept: UNCHANGED,
    next: 'Ask for a new link and leave every permission switched on. If one cannot be given, tell whoever sent the link.',
  },
  ISSUER_MISMATCH: {
    status: 400,
    title: 'The answer came from the wrong place',
    what: 'This consent began at {provider}, but the answer names another authorization server. That can be an attack, so the answer was not used.',
    kept: UNCHANGED,
    next: 'Do not try again. Pass the details below on to whoever runs this service.',
  },
  BAD_CALLBACK: {
    status: 400,
    title: 'The provider’s answer cannot be read',
    what: 'The answer of {provider} is incomplete or contradicts itself, so it was not used.',
    kept: UNCHANGED,
    next: TRY_AGAIN,
  },
  NOT_STORED: {
    status: 503,
    title: 'The connection could not be saved',
    what: '{provider} approved, but this service could not store the result safely.',
    kept: 'The new approval is not used: what was connected before is unchanged.',
    next: 'Tell whoever runs this service, with the details below. Once it is repaired, ask for a new link.',
  },
  SUPERSEDED: {
    status: 409,
    title: 'A newer consent took its place',
    what: 'While you were at {provider}, another consent for the same connection went ahead, so this one was dropped.',
    kept: 'What the newer consent connected is untouched.',
    next: 'If the newer one was meant, there is nothing to do. Otherwise ask whoever sent the link for a new one.',
  },
  NOT_CONFIRMED: {
    status: 409,
    title: 'Nobody could confirm this consent',
    what: '{provider} approved, but the service that sent you could not confirm that it was you, so the approval was not used.',
    kept: UNCHANGED,
    next: TRY_AGAIN,
  },
}
