/** Milliseconds that a call may take whose client set no deadline: three times the wait for a refresh. */
export const CALL_MS_DEFAULT = 30_000

/**
 * Milliseconds that any call may take, whatever deadline its client set.
 * The longest request to a provider ends after 60 s; the rest is for storing and answering.
 */
export const CALL_MS_MAX = 70_000

/** Milliseconds to wait for calls in flight when the server stops: as long as any takes, and time to say so. */
export const DRAIN_MS_MAX = CALL_MS_MAX + 1_000

/** Open connections per listener. A caller needs one; a thousand processes are more than one broker serves. */
export const CONNECTIONS_MAX = 1_000

/** Milliseconds for a TLS handshake. Node's 120 s would let slow peers hold connections. */
export const TLS_HANDSHAKE_MS_MAX = 5_000

/**
 * Milliseconds for the first call of a connection that passes the gate: a handshake and the reading of the keys that
 * its JWT is signed with take 5 s each at the most. Clients connect when they have something to ask.
 */
export const FIRST_CALL_MS_MAX = 15_000

/** Calls and streams at the same time per connection. HTTP/2's default is four billion. */
export const STREAMS_MAX = 1_000

/**
 * Streams that last, per connection: watches, of health too, and reflection. They leave it a tenth of its streams: a
 * call beyond the last one would not fail but hang in the client until its deadline. Behind a proxy, all callers may
 * share one connection.
 */
export const STREAMS_THAT_LAST_MAX = 900

/** Watches that one caller may have open: no more than one connection carries. */
export const WATCHES_PER_CALLER_MAX = 900

/** Connections on one stream of `WatchAccessTokens`, as the `.proto` file says. */
export const WATCHED_PER_STREAM_MAX = 1_000

/** Connections that one caller may watch on all its streams together, about 2 KiB each. */
export const WATCHED_PER_CALLER_MAX = 100_000

/** As much as a stream of all connections counts for in that: it keeps marks and digests for many. */
export const WATCH_OF_ALL_WEIGHT = 1_000

/**
 * Bytes of a request. The largest is a watch of 1,000 connections: 327 bytes each if its provider's id has 63 bytes
 * and its account 256. The next, an import with two tokens of 16 KiB, has an eighth of that.
 */
export const RECEIVE_BYTES_MAX = 384 * 1024

/**
 * Bytes of a call's metadata, as HTTP/2 counts them: what gRPC's C core takes at the most. A JWT and a trace have a few
 * thousand. Node's 64 KiB, outside of its heap until they are collected, would let one client fill memory with them.
 */
export const METADATA_BYTES_MAX = 16 * 1024

/** Bytes of an answer: what gRPC clients accept unless told otherwise. Only lists come near. */
export const SEND_BYTES_MAX = 4 * 1024 * 1024

/** Megabytes that one HTTP/2 connection may take in Node, headers and queued frames of its streams together. */
export const SESSION_MEGABYTES_MAX = 10

/** Milliseconds after which clients have to connect anew, so that they spread over replicas. */
export const CONNECTION_AGE_MS_MAX = 30 * 60_000

/**
 * Milliseconds that calls in flight get when their connection is too old: enough for any, so none is cut. Watches
 * are, with `UNAVAILABLE`, and open again on the new connection.
 */
export const CONNECTION_AGE_GRACE_MS = CALL_MS_MAX + 1_000

/** Milliseconds after which a connection without calls is closed. Clients reconnect by themselves. */
export const CONNECTION_IDLE_MS_MAX = 5 * 60_000

/** Milliseconds between pings that find dead peers, below the idle timeouts of common load balancers and NATs. */
export const KEEPALIVE_MS = 60_000

/** Milliseconds to wait for the answer to a ping. */
export const KEEPALIVE_TIMEOUT_MS = 20_000
