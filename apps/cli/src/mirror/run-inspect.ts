import { LiftlockError } from '#kernel';
import {
  formatPlatform,
  parseManifest,
  parseRepository,
  type Manifest,
  type Registries,
} from '#oci';
import { writeJson, type Format, type Output } from '../output.js';
import { bytes, table } from '../show/text.js';
import { openSource } from './run-copy.js';

/** What an image is, and what belongs to it. */
export async function runInspect(
  registries: Registries,
  text: string,
  format: Format,
  output: Output,
): Promise<void> {
  const { source, reference } = await openSource(registries, text);
  const raw = await source.manifest(reference);
  const manifest = parseManifest(raw, text);
  const referrers = await source.referrers(raw.digest);
  if (format === 'json') {
    writeJson(output, {
      digest: raw.digest,
      mediaType: raw.mediaType,
      size: raw.bytes.byteLength,
      manifest,
      referrers,
    });
    return;
  }
  output.write(`${raw.digest}  ${raw.mediaType}\n${partsOf(manifest)}`);
  if (referrers.length === 0) return;
  output.write(
    `\n${table([['REFERS TO IT', 'KIND'], ...referrers.map(({ digest, artifactType, mediaType }) => [digest, artifactType ?? mediaType])])}`,
  );
}

export async function listTags(
  registries: Registries,
  text: string,
  format: Format,
  output: Output,
): Promise<void> {
  const tags = await registries
    .repository(parseRepository(text.replace(/^docker:\/\//, '')))
    .tags();
  if (tags.length === 0)
    throw new LiftlockError(
      'image_missing',
      `${text} has no tags: there is no such repository, or what is in it is named by digest only`,
    );
  if (format === 'json') writeJson(output, tags);
  else output.write(tags.map((tag) => `${tag}\n`).join(''));
}

function partsOf(manifest: Manifest): string {
  if (manifest.kind === 'index')
    return table([
      ['PLATFORM', 'DIGEST', 'KIND'],
      ...manifest.manifests.map(({ platform, digest, mediaType }) => [
        platform === undefined ? '' : formatPlatform(platform),
        digest,
        mediaType,
      ]),
    ]);
  const all = [...(manifest.config === undefined ? [] : [manifest.config]), ...manifest.layers];
  return table([
    ['SIZE', 'DIGEST', 'KIND'],
    ...all.map(({ size, digest, mediaType }) => [bytes(size), digest, mediaType]),
  ]);
}
