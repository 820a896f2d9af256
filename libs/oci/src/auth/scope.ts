/** What a token is for, as token services know it: `repository:library/busybox:pull,push`. */
export type Scope = string;

export function pullScope(repository: string): Scope {
  return `repository:${repository}:pull`;
}

export function pushScope(repository: string): Scope {
  return `repository:${repository}:pull,push`;
}

export function deleteScope(repository: string): Scope {
  return `repository:${repository}:delete,pull`;
}
