/** A gRPC client that this project did not write. */
export interface ForeignClient {
  /**
   * Calls one method; of a stream the first message is taken.
   *
   * @param method `Service/Method`, without the package
   * @param request in protobuf's JSON
   * @param token sent as a bearer; null sends no authorization
   */
  call(method: string, request: object, token: string | null): Promise<ForeignAnswer>
  /** Removes what it made, if it made anything. */
  close?(): void
}

/** What the client understood: the response in protobuf's JSON, or the status and the reason of its ErrorInfo. */
export type ForeignAnswer =
  | { readonly response: Record<string, unknown> }
  | { readonly code: string; readonly reason: string }

/** A running broker as its clients see it. */
export interface Target {
  /** host:port */
  readonly grpcAddress: string
  readonly operatorToken: string
}
