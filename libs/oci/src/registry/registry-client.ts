import { LiftlockError } from '#kernel';
import { Authorizer } from '../auth/authorizer.js';
import type { CredentialStore } from '../auth/credential-store.js';
import type { Scope } from '../auth/scope.js';
import type { TokenRequest } from '../auth/token-service.js';
import { Agents } from '../http/agents.js';
import type { Answer } from '../http/answer.js';
import { BackOff, retryAfterMs } from '../http/back-off.js';
import { exchange, type Body, type ExchangeRequest } from '../http/exchange.js';
import {
  connectionFailed,
  hasCode,
  isPassing,
  isUnknownSigner,
  LONGEST_RETRY_AFTER_MS,
  nodeCode,
  refusal,
  speaksNoTls,
} from '../http/failures.js';
import { RateLimit } from '../http/rate-limit.js';
import type { ProxySettings, RegistrySettings } from '../http/settings.js';
import { apiHostOf } from '../reference.js';

export interface RegistryRequest {
  readonly method: ExchangeRequest['method'];
  /** Below the registry's address, or a whole address that the registry gave (an upload session's). */
  readonly url: string | URL;
  /** For messages: `pushing app:1.0`. */
  readonly what: string;
  readonly scopes: readonly Scope[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each try. */
  readonly body?: Buffer | (() => Body);
  /** Statuses that are answers, not failures. */
  readonly expect: readonly number[];
  readonly signal?: AbortSignal | undefined;
  /** As in `ExchangeRequest`. */
  readonly graceMs?: number;
  /** Tries in all; default 6. 1 for what must begin further out when it fails, an upload session. */
  readonly attempts?: number;
}

export interface RegistryClientOptions {
  readonly settings?: RegistrySettings;
  readonly credentials?: CredentialStore;
  readonly proxy?: ProxySettings;
  /** Milliseconds without progress after which a request is given up; default 60,000. */
  readonly stallMs?: number;
  readonly backOff?: BackOff;
  /** Shared with other registries. */
  readonly limit?: RateLimit;
}

const ATTEMPTS = 6;
const STALL_MS = 60_000;
const MAX_REDIRECTS = 5;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;

/** Speaks with one registry: signs in, follows, waits when told to, and tries again what may be tried again. */
export class RegistryClient {
  private readonly agents: Agents;
  private readonly backOff: BackOff;
  private readonly authorizer: Authorizer;
  private readonly stallMs: number;
  private readonly limits: readonly RateLimit[];
  private readonly settings: RegistrySettings;
  private scheme: 'https' | 'http';
  /** Plain HTTP was taken for likely, and no answer has shown it yet. */
  private guessing: boolean;

  constructor(
    /** As references name it. */
    readonly registry: string,
    options: RegistryClientOptions = {},
  ) {
    this.settings = options.settings ?? {};
    this.agents = new Agents(this.settings, options.proxy);
    this.backOff = options.backOff ?? new BackOff();
    this.stallMs = options.stallMs ?? STALL_MS;
    const { bytesPerSecond } = this.settings;
    const own = bytesPerSecond === undefined ? [] : [new RateLimit(bytesPerSecond)];
    this.limits = options.limit === undefined ? own : [...own, options.limit];
    // an insecure registry of this very machine is plain HTTP nearly always: it is asked so first
    this.guessing = this.settings.insecure === true && LOOPBACK.test(registry);
    this.scheme = this.guessing ? 'http' : 'https';
    this.authorizer = new Authorizer({
      registry,
      credentials: async (repository) =>
        this.settings.credentials ?? options.credentials?.find(registry, repository),
      send: (request, signal) => this.sendForToken(request, signal),
    });
  }

  close(): void {
    this.agents.close();
  }

  /** Whether it speaks the API, and lets us in. */
  async ping(signal?: AbortSignal): Promise<void> {
    const what = `asking ${this.registry} for its API`;
    const answer = await this.send({
      method: 'GET',
      url: '/v2/',
      what,
      scopes: [],
      expect: [200],
      signal,
    });
    answer.discard();
  }

  /** @throws LiftlockError what `refusal` makes of an answer that was not expected */
  async send(request: RegistryRequest): Promise<Answer> {
    const attempts = request.attempts ?? ATTEMPTS;
    let signedIn = 0;
    for (let attempt = 1; ;) {
      const asked = await this.backOff.ready(request.signal);
      let failure: LiftlockError;
      const { scheme } = this;
      const isTrusting = this.agents.isTrustingSystem;
      try {
        const sent = await this.authorizer.header(request.scopes, request.signal);
        const answer = await this.follow(request, sent);
        if (this.guessedWrong(answer.status, scheme)) {
          answer.discard();
          continue;
        }
        if (request.expect.includes(answer.status)) {
          this.backOff.succeeded();
          return answer;
        }
        if (answer.status === 401 && signedIn < 2) {
          signedIn += 1;
          if (await this.authorizer.challenged(answer, request.scopes, sent, request.signal)) {
            answer.discard();
            continue;
          }
        }
        const wait = retryAfterMs(answer.header('retry-after'), Date.now());
        failure = await refusal(this.registry, request.what, answer);
        // docker-registry 2 says it with a 500, and would each time
        if (!isPassing(answer.status) || hasCode(failure, 'MANIFEST_BLOB_UNKNOWN')) throw failure;
        if (wait !== undefined && wait > LONGEST_RETRY_AFTER_MS) throw failure;
        this.backOff.failed(asked, wait);
      } catch (error) {
        if (request.signal?.aborted === true) throw error;
        if (error instanceof LiftlockError && error.code !== 'timeout') throw error;
        if (this.settings.insecure === true && this.scheme === 'https' && speaksNoTls(error)) {
          this.scheme = 'http';
          continue;
        }
        if (this.mayTrustSystem(error, isTrusting)) continue;
        failure = connectionFailed(this.registry, request.what, error);
        if (!failure.retryable || nodeCode(error) === 'ENOTFOUND') throw failure;
        this.backOff.failed(asked);
      }
      if (attempt >= attempts) throw failure;
      attempt += 1;
    }
  }

  /** A server that speaks TLS answers plain HTTP with a 400, most of the time. */
  private guessedWrong(status: number, scheme: 'https' | 'http'): boolean {
    // another request has found it out meanwhile
    if (status === 400 && scheme !== this.scheme) return true;
    const wrong = this.guessing && status === 400;
    this.guessing = false;
    if (wrong) this.scheme = 'https';
    return wrong;
  }

  /** @param wasTrusting when it was asked: another request may have found it out meanwhile @returns whether another try makes sense */
  private mayTrustSystem(error: unknown, wasTrusting: boolean): boolean {
    if (wasTrusting || !isUnknownSigner(error)) return false;
    this.agents.trustSystem();
    return true;
  }

  /** The address that a `Location` means, relative to the request that it answered. */
  resolve(location: string, from: string | URL): URL {
    return new URL(location, this.absolute(from));
  }

  private absolute(url: string | URL): URL {
    return url instanceof URL ? url : new URL(url, `${this.scheme}://${apiHostOf(this.registry)}`);
  }

  /** Redirects of what is read are followed, and never with our password to another host. */
  private async follow(
    request: RegistryRequest,
    authorization: string | undefined,
  ): Promise<Answer> {
    const first = this.absolute(request.url);
    const home = this.absolute('/').host;
    let url = first;
    for (let redirects = 0; ; redirects += 1) {
      const ours = url.host === home && (url.protocol === 'https:' || this.scheme === 'http');
      const answer = await exchange({
        method: request.method,
        url,
        headers: {
          ...request.headers,
          ...(ours && authorization !== undefined ? { authorization } : {}),
        },
        ...(request.body === undefined
          ? {}
          : { body: typeof request.body === 'function' ? request.body() : request.body }),
        agent: this.agents.for(url),
        signal: request.signal,
        graceMs: request.graceMs,
        stallMs: this.stallMs,
        ...(this.limits.length === 0 ? {} : { limits: this.limits }),
      });
      const location = answer.header('location');
      const isRedirect =
        [301, 302, 303, 307, 308].includes(answer.status) && location !== undefined;
      if (!isRedirect || request.expect.includes(answer.status)) return answer;
      answer.discard();
      const next = new URL(location, url);
      if (
        redirects === MAX_REDIRECTS ||
        (!['GET', 'HEAD'].includes(request.method) && answer.status < 307)
      )
        throw new LiftlockError(
          'registry_refused',
          `${request.what}: ${this.registry} redirects without end`,
        );
      if (url.protocol === 'https:' && next.protocol === 'http:' && this.settings.insecure !== true)
        throw new LiftlockError(
          'registry_refused',
          `${request.what}: ${this.registry} redirects from HTTPS to plain HTTP (${next.host}), which is not followed`,
        );
      url = next;
    }
  }

  /** A token service is tried as the registry itself is; it shares its connections, not its pauses. */
  private async sendForToken(
    request: TokenRequest,
    signal: AbortSignal | undefined,
  ): Promise<Answer> {
    const what = `signing in at ${this.registry}`;
    const pauses = new BackOff();
    for (let attempt = 1; ; attempt += 1) {
      const asked = await pauses.ready(signal);
      let failure: LiftlockError;
      const isTrusting = this.agents.isTrustingSystem;
      try {
        const answer = await exchange({
          ...request,
          agent: this.agents.for(request.url),
          signal,
          stallMs: this.stallMs,
        });
        if (answer.status === 200) return answer;
        const wait = retryAfterMs(answer.header('retry-after'), Date.now());
        failure = await refusal(this.registry, what, answer);
        if (!isPassing(answer.status) || (wait ?? 0) > LONGEST_RETRY_AFTER_MS) throw failure;
        pauses.failed(asked, wait);
      } catch (error) {
        if (signal?.aborted === true) throw error;
        if (error instanceof LiftlockError && error.code !== 'timeout') throw error;
        if (this.mayTrustSystem(error, isTrusting)) continue;
        failure = connectionFailed(request.url.host, what, error);
        if (!failure.retryable) throw failure;
        pauses.failed(asked);
      }
      if (attempt >= ATTEMPTS) throw failure;
    }
  }
}
