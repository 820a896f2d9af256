import type { CredentialName, Credentials } from './target-credentials.js';

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

/** What an endpoint asks of the credentials that come with it. */
export interface CredentialNeeds {
  readonly needed: readonly CredentialName[];
  readonly allowed: readonly CredentialName[];
  /** What is told of those that lack. */
  readonly lacking: (names: readonly CredentialName[]) => string;
  /** Where any other is of no use: `beside a kubeconfig`. */
  readonly uselessWhere: string;
}

/** One for all that lack, and one for each that is of no use; empty when nothing is wrong. */
export function credentialIssues(
  given: Credentials | undefined,
  { needed, allowed, lacking, uselessWhere }: CredentialNeeds,
): readonly EndpointIssue[] {
  const names = Object.keys(given ?? {}) as CredentialName[];
  const missing = needed.filter((name) => given?.[name] === undefined);
  const superfluous = names.filter((name) => !allowed.includes(name));
  return [
    ...(missing.length === 0 ? [] : [{ path: ['credentials'], message: lacking(missing) }]),
    ...superfluous.map((name) => ({
      path: ['credentials', name],
      message: `${name} is of no use ${uselessWhere}: remove it`,
    })),
  ];
}
