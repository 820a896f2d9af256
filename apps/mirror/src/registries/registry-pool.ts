import { createHash } from 'node:crypto';
import type { RegistryAccess, RegistryCredentials } from '#contracts';
import type { SecretStore } from '#drivers/core';
import { Registries, type RegistriesOptions, type RegistrySettings } from '#oci';

/** Connections of access that nobody uses are kept for so many kinds of it. */
const MOST_IDLE = 16;

/** A step that cannot reach a registry says so while somebody waits for it, and is tried again by its own policy. */
const LONGEST_PAUSE_MS = 5_000;

interface Shared {
  readonly registries: Registries;
  users: number;
}

/**
 * Connections to registries, shared by all that reach them with the same access: tokens, pauses that a registry asked for, and limits are
 * one for all of them. Secrets are resolved anew each time, and a changed one is another access.
 */
export class RegistryPool {
  private readonly shared = new Map<string, Shared>();

  constructor(
    private readonly secrets: SecretStore,
    private readonly logins: Pick<RegistriesOptions, 'credentials' | 'certificates' | 'proxy'>,
  ) {}

  /** @throws LiftlockError `misconfigured` for a secret that this service does not know. */
  async use<T>(
    access: Readonly<Record<string, RegistryAccess>>,
    work: (registries: Registries) => Promise<T>,
  ): Promise<T> {
    const settings: Record<string, RegistrySettings> = {};
    for (const [registry, one] of Object.entries(access))
      settings[registry] = await this.resolve(one);
    const key = createHash('sha256').update(JSON.stringify(settings)).digest('hex');
    const shared = this.shared.get(key) ?? {
      registries: new Registries({ settings, longestPauseMs: LONGEST_PAUSE_MS, ...this.logins }),
      users: 0,
    };
    // the last one used is the last to go
    this.shared.delete(key);
    this.shared.set(key, shared);
    shared.users += 1;
    try {
      return await work(shared.registries);
    } finally {
      shared.users -= 1;
      this.letGo();
    }
  }

  close(): void {
    for (const { registries } of this.shared.values()) registries.close();
    this.shared.clear();
  }

  private letGo(): void {
    for (const [key, { registries, users }] of this.shared) {
      if (this.shared.size <= MOST_IDLE) return;
      if (users > 0) continue;
      registries.close();
      this.shared.delete(key);
    }
  }

  private async resolve(access: RegistryAccess): Promise<RegistrySettings> {
    const { insecure, bytesPerSecond, credentials } = access;
    return {
      ...(insecure === undefined ? {} : { insecure }),
      ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
      ...(credentials === undefined ? {} : await this.reveal(credentials)),
    };
  }

  private async reveal(given: RegistryCredentials): Promise<Partial<RegistrySettings>> {
    const { username, password, ca, certificate, key } = given;
    return {
      ...(username === undefined || password === undefined
        ? {}
        : {
            credentials: {
              username: (await this.secrets.get(username)).trim(),
              password: withoutNewline(await this.secrets.get(password)),
            },
          }),
      ...(ca === undefined ? {} : { ca: await this.secrets.get(ca) }),
      ...(certificate === undefined || key === undefined
        ? {}
        : {
            clientCertificate: {
              cert: await this.secrets.get(certificate),
              key: await this.secrets.get(key),
            },
          }),
    };
  }
}

/** What an editor puts at the end of a file belongs to no password. */
function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/, '');
}
