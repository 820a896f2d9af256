import { LiftlockError } from '#kernel';
import type { Answer } from '../http/answer.js';
import type { Credentials } from '../http/settings.js';
import type { Scope } from './scope.js';

/** What is sent to a token service; its own retries and connections are the caller's. */
export interface TokenRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export interface Token {
  readonly value: string;
  /** `performance.now()` from which on it is not used any more. */
  readonly expiresAt: number;
}

/** Seconds that a token is good for when nobody says (https://distribution.github.io/distribution/spec/auth/token/). */
const DEFAULT_SECONDS = 60;
/** Milliseconds before its end that a token is renewed, so that none ends on the way. */
const MARGIN_MS = 10_000;

/** How a token is asked for: with a refresh token as OAuth 2 does it, else as Docker always did. */
export function tokenRequest(
  realm: URL,
  service: string | undefined,
  scopes: readonly Scope[],
  credentials: Credentials | undefined,
): TokenRequest {
  if (credentials !== undefined && 'identityToken' in credentials) {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      client_id: 'liftlock',
      refresh_token: credentials.identityToken,
      ...(service === undefined ? {} : { service }),
      ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
    });
    return {
      method: 'POST',
      url: realm,
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: Buffer.from(form.toString()),
    };
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  const basic =
    credentials !== undefined && 'username' in credentials ? basicHeader(credentials) : undefined;
  return {
    method: 'GET',
    url,
    headers: {
      accept: 'application/json',
      ...(basic === undefined ? {} : { authorization: basic }),
    },
  };
}

export function basicHeader({
  username,
  password,
}: {
  username: string;
  password: string;
}): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

export async function readToken(answer: Answer, realm: URL, now: number): Promise<Token> {
  let parsed: { token?: unknown; access_token?: unknown; expires_in?: unknown };
  try {
    parsed = JSON.parse((await answer.bytes(1024 * 1024)).toString('utf8')) as typeof parsed;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new LiftlockError('registry_refused', `the token service ${realm.host} answered no JSON`);
  }
  const value = parsed.token || parsed.access_token;
  if (typeof value !== 'string' || value === '')
    throw new LiftlockError('registry_refused', `the token service ${realm.host} gave no token`);
  const seconds =
    typeof parsed.expires_in === 'number' && parsed.expires_in > 0
      ? parsed.expires_in
      : DEFAULT_SECONDS;
  const lifetime = seconds * 1_000;
  return { value, expiresAt: now + Math.max(lifetime - MARGIN_MS, lifetime / 2) };
}
