import type { Certificates } from '../auth/certificate-folders.js';
import type { CredentialStore } from '../auth/credential-store.js';
import { BackOff } from '../http/back-off.js';
import { RateLimit } from '../http/rate-limit.js';
import type { ProxySettings, RegistrySettings } from '../http/settings.js';
import { RegistryClient } from './registry-client.js';
import { Repository, type RepositoryAccess } from './repository.js';

export interface RegistriesOptions {
  /** By the name that references have. */
  readonly settings?: Readonly<Record<string, RegistrySettings>>;
  readonly credentials?: CredentialStore;
  /** Of a registry for which `settings` has none; default: none. */
  readonly certificates?: (registry: string) => Certificates;
  readonly proxy?: ProxySettings;
  /** Milliseconds without progress after which a request is given up; default 60,000. */
  readonly stallMs?: number;
  /** Upper bound of a pause after a failure that no `Retry-After` asked for, in milliseconds; default 30,000. */
  readonly longestPauseMs?: number;
  /** For all registries together; default: as much as there is. */
  readonly bytesPerSecond?: number;
}

/** All registries that a process talks to: one client each, so that connections, tokens and pauses are shared. */
export class Registries {
  private readonly clients = new Map<string, RegistryClient>();

  private readonly limit: RateLimit | undefined;

  constructor(private readonly options: RegistriesOptions = {}) {
    const { bytesPerSecond } = options;
    this.limit = bytesPerSecond === undefined ? undefined : new RateLimit(bytesPerSecond);
  }

  client(registry: string): RegistryClient {
    const known = this.clients.get(registry);
    if (known !== undefined) return known;
    const { settings, credentials, proxy, stallMs, longestPauseMs } = this.options;
    const own = { ...this.options.certificates?.(registry), ...settings?.[registry] };
    const client = new RegistryClient(registry, {
      settings: own,
      ...(credentials === undefined ? {} : { credentials }),
      ...(proxy === undefined ? {} : { proxy }),
      ...(stallMs === undefined ? {} : { stallMs }),
      ...(longestPauseMs === undefined ? {} : { backOff: new BackOff({ maxMs: longestPauseMs }) }),
      ...(this.limit === undefined ? {} : { limit: this.limit }),
    });
    this.clients.set(registry, client);
    return client;
  }

  repository(
    { registry, repository }: { readonly registry: string; readonly repository: string },
    access: RepositoryAccess = 'pull',
  ): Repository {
    return new Repository(this.client(registry), repository, access);
  }

  close(): void {
    for (const client of this.clients.values()) client.close();
    this.clients.clear();
  }
}
