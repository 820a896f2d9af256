import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { LiftlockError } from '#kernel';
import { loginSettings, Registries, type RegistrySettings } from '#oci';

/** What a person says of registries: on the command line, or in a file of `mirror sync`. */
export interface RegistryWords {
  readonly insecure?: boolean | undefined;
  /** Path of PEM certificates. */
  readonly ca?: string | undefined;
  readonly clientCertificate?: { readonly cert: string; readonly key: string } | undefined;
  readonly bytesPerSecond?: number | undefined;
}

/** Connects as `docker login` and the machine's proxies say. */
export function connectRegistries(
  words: Readonly<Record<string, RegistryWords>>,
  bytesPerSecond: number | undefined,
  variables: NodeJS.ProcessEnv = process.env,
): Registries {
  const settings = Object.fromEntries(
    Object.entries(words).map(([registry, said]) => [registry, settingsOf(said)]),
  );
  return new Registries({
    settings,
    ...loginSettings({ ...variables, HOME: homedir() }),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
  });
}

function settingsOf(said: RegistryWords): RegistrySettings {
  const { insecure, ca, clientCertificate, bytesPerSecond } = said;
  return {
    ...(insecure === undefined ? {} : { insecure }),
    ...(ca === undefined ? {} : { ca: readPem(ca) }),
    ...(clientCertificate === undefined
      ? {}
      : {
          clientCertificate: {
            cert: readPem(clientCertificate.cert),
            key: readPem(clientCertificate.key),
          },
        }),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
  };
}

export function readPem(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new LiftlockError(
      'invalid_request',
      `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? ''})`,
      { cause: error },
    );
  }
}
