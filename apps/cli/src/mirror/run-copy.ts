import { LiftlockError } from '#kernel';
import {
  ArchiveSource,
  Copier,
  formatReference,
  parseLocation,
  parsePlatform,
  parseReference,
  RegistrySource,
  targetOf,
  type CopyResult,
  type ImageSource,
  type Registries,
} from '#oci';
import { writeJson, type Format, type Output } from '../output.js';
import { CopyBoard } from './copy-progress.js';
import { cosignPolicy } from './signature-option.js';

export interface CopyOptions {
  readonly platform: readonly string[];
  readonly referrers: boolean;
  readonly thorough: boolean;
  readonly alsoTag: readonly string[];
  readonly key: readonly string[];
  readonly format: Format;
}

export interface OpenedSource {
  readonly source: ImageSource;
  readonly reference: string | undefined;
}

export async function openSource(
  registries: Registries,
  text: string,
  signal?: AbortSignal,
): Promise<OpenedSource> {
  const location = parseLocation(text);
  if (location.kind === 'archive')
    return {
      source: await ArchiveSource.open(location.path, signal),
      reference: location.reference,
    };
  const { reference } = location;
  return {
    source: new RegistrySource(registries.repository(reference)),
    reference: targetOf(reference),
  };
}

/** One image to one place. */
export async function runCopy(
  registries: Registries,
  from: string,
  to: string,
  options: CopyOptions,
  output: Output,
): Promise<void> {
  const target = parseReference(to.replace(/^docker:\/\//, ''));
  const { source, reference } = await openSource(registries, from);
  const name = formatReference(target);
  if (target.digest !== undefined)
    throw new LiftlockError(
      'invalid_request',
      `${name}: an image keeps its own digest; name a tag to write`,
    );
  const board = new CopyBoard(output);
  const controller = new AbortController();
  const stop = (): void =>
    controller.abort(new LiftlockError('revoked', 'interrupted: what was begun is cancelled'));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  let result: CopyResult;
  try {
    result = await new Copier().copy({
      source,
      reference,
      target: registries.repository(target, 'push'),
      tags: [target.tag ?? 'latest', ...options.alsoTag],
      platforms: options.platform.length === 0 ? undefined : options.platform.map(parsePlatform),
      referrers: options.referrers,
      thorough: options.thorough,
      admit: cosignPolicy(options.key),
      progress: board.begin(name),
      signal: controller.signal,
    });
  } finally {
    board.stop();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
  if (options.format === 'json') writeJson(output, { image: name, ...result });
  else board.succeeded(name, result);
}
