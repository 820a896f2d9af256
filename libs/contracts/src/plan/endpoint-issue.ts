/** What is wrong with where a target is, or with what it is reached with. */
export interface EndpointIssue {
  /** Within the target. */
  readonly path: readonly string[];
  readonly message: string;
}

/** A message must not repeat a password that someone wrote into a URL. */
export function withoutPassword(endpoint: string): string {
  return endpoint.replace(/(\/\/[^/@:]*):[^/@]*@/, '$1:…@');
}
