import { InvalidArgumentError, type Command } from 'commander';
import type { RegistryWords } from './connect.js';

export interface RegistryOptions {
  readonly insecure?: readonly string[];
  readonly ca?: readonly string[];
  readonly cert?: readonly string[];
  readonly limit?: readonly Limit[];
}

/** Bytes a second of one registry, or of all together. */
interface Limit {
  readonly registry: string | undefined;
  readonly bytesPerSecond: number;
}

type Words = Readonly<Record<string, RegistryWords>>;

/** How registries are reached, the same for all commands that do. */
export function registryOptions(command: Command): Command {
  return command
    .option(
      '--insecure <registry>',
      'its TLS is not checked, plain HTTP is spoken where there is none; may be repeated',
      list,
    )
    .option('--ca <registry=file>', 'PEM of the CA of a registry; may be repeated', list)
    .option(
      '--cert <registry=file,file>',
      'PEM of the client certificate that a registry asks for, and of its key; may be repeated',
      list,
    )
    .option(
      '--limit <bytes>',
      'bytes a second in all, as 500K, 20M, 1G, or of one registry, as REGISTRY=20M; may be repeated',
      limits,
    );
}

export function wordsOf({ insecure = [], ca = [], cert = [], limit = [] }: RegistryOptions): {
  readonly words: Words;
  /** Of all registries together. */
  readonly bytesPerSecond: number | undefined;
} {
  let words: Words = {};
  const say = (registry: string, said: RegistryWords): void => {
    words = withWords(words, { [registry]: said });
  };
  for (const registry of insecure) say(registry, { insecure: true });
  for (const one of ca) {
    const [registry, file] = split(one, '--ca is written REGISTRY=FILE');
    say(registry, { ca: file });
  }
  for (const one of cert) {
    const how = '--cert is written REGISTRY=CERTIFICATE,KEY';
    const [registry, files] = split(one, how);
    const [certificate = '', key = '', ...more] = files.split(',');
    if (certificate === '' || key === '' || more.length > 0) throw new InvalidArgumentError(how);
    say(registry, { clientCertificate: { cert: certificate, key } });
  }
  let all: number | undefined;
  for (const { registry, bytesPerSecond } of limit)
    if (registry === undefined) all = bytesPerSecond;
    else say(registry, { bytesPerSecond });
  return { words, bytesPerSecond: all };
}

/** What a file says of registries, and what the command line says besides: it counts where both say something. */
export function withWords(before: Words, more: Words): Words {
  const words = { ...before };
  for (const [registry, said] of Object.entries(more))
    words[registry] = { ...words[registry], ...said };
  return words;
}

function split(text: string, how: string): readonly [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1 || equals === text.length - 1) throw new InvalidArgumentError(how);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** An option that may be repeated. Without a default, which the help would show as `[]`. */
export function list(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

function limits(value: string, before: readonly Limit[] = []): Limit[] {
  const equals = value.lastIndexOf('=');
  const registry = equals === -1 ? undefined : value.slice(0, equals);
  const found = /^(\d+)([KMG]?)i?B?$/i.exec(value.slice(equals + 1));
  const bytes = Number(found?.[1] ?? 0) * (UNITS[(found?.[2] ?? '').toUpperCase()] ?? 0);
  if (bytes > 0 && registry !== '') return [...before, { registry, bytesPerSecond: bytes }];
  throw new InvalidArgumentError(
    'a number of bytes, as 500K, 20M or 1G, or REGISTRY= and such a number',
  );
}
