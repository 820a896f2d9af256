import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LiftlockError } from '#kernel';
import type { RegistrySettings } from '../http/settings.js';

/** What folders say of a registry. */
export type Certificates = Pick<RegistrySettings, 'ca' | 'clientCertificate'>;

/**
 * Certificates as docker and skopeo have them (containers-certs.d(5)): in each folder one of the registry's name and port, and in it
 * `*.crt` for CAs, and `*.cert` with the `*.key` of the same name to show to the registry. The first folder that has one counts.
 * @throws LiftlockError `misconfigured` where a file cannot be read, or a certificate has no key
 */
export function certificatesIn(folders: readonly string[], registry: string): Certificates {
  for (const folder of folders) {
    const own = join(folder, registry);
    const names = namesIn(own);
    if (names.length === 0) continue;
    const cas = names.filter((name) => name.endsWith('.crt')).map((name) => read(join(own, name)));
    const cert = names.find((name) => name.endsWith('.cert'));
    const key = cert?.replace(/\.cert$/, '.key') ?? '';
    if (cert !== undefined && !names.includes(key))
      throw new LiftlockError('misconfigured', `${join(own, cert)} has no ${key} beside it`);
    return {
      ...(cas.length === 0 ? {} : { ca: cas.join('\n') }),
      ...(cert === undefined
        ? {}
        : { clientCertificate: { cert: read(join(own, cert)), key: read(join(own, key)) } }),
    };
  }
  return {};
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return [];
    throw error;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new LiftlockError(
      'misconfigured',
      `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? ''})`,
      { cause: error },
    );
  }
}
