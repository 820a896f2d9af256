import { LiftlockError } from '#kernel';
import type { Answer } from '../http/answer.js';
import type { Credentials } from '../http/settings.js';
import { parseChallenges, type Challenge } from './challenge.js';
import type { Scope } from './scope.js';
import {
  basicHeader,
  readToken,
  tokenRequest,
  type Token,
  type TokenRequest,
} from './token-service.js';

interface Bearer {
  readonly kind: 'bearer';
  readonly realm: URL;
  readonly service: string | undefined;
}
type Scheme = Bearer | { readonly kind: 'basic' };

export interface AuthorizerOptions {
  readonly registry: string;
  /** Looked for at the first challenge, and again when a new one comes: who signs in meanwhile is signed in. */
  readonly credentials: (repository: string) => Promise<Credentials | undefined>;
  /** Sends to a token service; gives the answer to a 2xx, else throws. */
  readonly send: (request: TokenRequest, signal: AbortSignal | undefined) => Promise<Answer>;
}

/**
 * Signs in at one registry. It learns how from the first 401 and asks from then on beforehand; a token is fetched once for all that wait
 * for it, and renewed before its end.
 */
export class Authorizer {
  private scheme: Scheme | undefined;
  private readonly tokens = new Map<string, Token>();
  private readonly fetching = new Map<string, Promise<Token>>();
  /** By repository, until a registry refuses them: to look for them may run a program. */
  private readonly found = new Map<string, Promise<Credentials | undefined>>();

  constructor(private readonly options: AuthorizerOptions) {}

  /** The header to send for these scopes, when it is known that one is needed. */
  async header(
    scopes: readonly Scope[],
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const { scheme } = this;
    if (scheme === undefined) return undefined;
    const credentials = await this.credentials(repositoryOf(scopes));
    if (credentials !== undefined && 'registryToken' in credentials)
      return `Bearer ${credentials.registryToken}`;
    if (scheme.kind === 'basic')
      return credentials !== undefined && 'username' in credentials
        ? basicHeader(credentials)
        : undefined;
    try {
      return `Bearer ${(await this.token(scheme, scopes, credentials, signal)).value}`;
    } catch (error) {
      // perhaps it did not like who we are
      this.found.delete(repositoryOf(scopes));
      throw error;
    }
  }

  /**
   * Learns from a 401.
   * @param sent the header that the refused request had
   * @returns whether another try makes sense
   */
  async challenged(
    answer: Answer,
    scopes: readonly Scope[],
    sent: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const before = this.scheme;
    this.scheme = this.choose(parseChallenges(answer.challenges)) ?? before;
    if (this.scheme === undefined) return false;
    // a token that was refused is not used again; one that somebody else has renewed meanwhile is
    const key = keyOf(scopes);
    const known = this.tokens.get(key);
    if (known !== undefined && sent === `Bearer ${known.value}`) this.tokens.delete(key);
    if (sent !== undefined) this.found.delete(repositoryOf(scopes));
    const next = await this.header(scopes, signal);
    return next !== undefined && next !== sent;
  }

  private async credentials(repository: string): Promise<Credentials | undefined> {
    const known = this.found.get(repository);
    if (known !== undefined) return known;
    const looking = this.options.credentials(repository);
    this.found.set(repository, looking);
    let credentials: Credentials | undefined;
    try {
      credentials = await looking;
      return credentials;
    } finally {
      // who signs in meanwhile is signed in
      if (credentials === undefined && this.found.get(repository) === looking)
        this.found.delete(repository);
    }
  }

  private choose(challenges: readonly Challenge[]): Scheme | undefined {
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined) {
      const realm = URL.parse(bearer.parameters['realm'] ?? '');
      if (realm === null || !/^https?:$/.test(realm.protocol))
        throw new LiftlockError(
          'registry_refused',
          `${this.options.registry} names no token service that can be reached (realm ${JSON.stringify(bearer.parameters['realm'] ?? '')})`,
        );
      return { kind: 'bearer', realm, service: bearer.parameters['service'] };
    }
    return challenges.some(({ scheme }) => scheme === 'basic') ? { kind: 'basic' } : undefined;
  }

  private async token(
    scheme: Bearer,
    scopes: readonly Scope[],
    credentials: Credentials | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const key = keyOf(scopes);
    const known = this.tokens.get(key);
    if (known !== undefined && performance.now() < known.expiresAt) return known;
    const under = this.fetching.get(key);
    if (under !== undefined) {
      const shared = await under.catch(() => undefined);
      // the one who fetched it was called back: we were not
      if (shared !== undefined) return shared;
      signal?.throwIfAborted();
    }
    const fetched = this.fetch(scheme, scopes, credentials, signal);
    this.fetching.set(key, fetched);
    try {
      const token = await fetched;
      this.tokens.set(key, token);
      return token;
    } finally {
      if (this.fetching.get(key) === fetched) this.fetching.delete(key);
    }
  }

  private async fetch(
    { realm, service }: Bearer,
    scopes: readonly Scope[],
    credentials: Credentials | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const asked = performance.now();
    const answer = await this.options.send(
      tokenRequest(realm, service, scopes, credentials),
      signal,
    );
    return readToken(answer, realm, asked);
  }
}

function keyOf(scopes: readonly Scope[]): string {
  return [...scopes].toSorted().join(' ');
}

function repositoryOf(scopes: readonly Scope[]): string {
  return scopes[0]?.split(':')[1] ?? '';
}
