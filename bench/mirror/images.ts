import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** An image layout in a tar, of layers that do not compress. */
export interface BenchImage {
  /** Path of the `oci-archive`. */
  readonly archive: string;
}

const OCI = 'application/vnd.oci.image';

export interface Layer {
  readonly bytes: Buffer;
  readonly diffId: string;
}

/** Real gzip, of what cannot be compressed: a client that finds none compresses it on the way, which is not what is measured. */
export function randomLayer(size: number): Layer {
  const content = randomBytes(size);
  return {
    bytes: gzipSync(content, { level: 0 }),
    diffId: `sha256:${createHash('sha256').update(content).digest('hex')}`,
  };
}

export function writeImage(folder: string, name: string, layers: readonly Layer[]): BenchImage {
  const root = join(folder, name);
  const blobs = join(root, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const put = (bytes: Buffer, mediaType: string): object => {
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(blobs, hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.byteLength };
  };
  const described = layers.map(({ bytes }) => put(bytes, `${OCI}.layer.v1.tar+gzip`));
  const diffIds = layers.map(({ diffId }) => diffId);
  const config = put(
    Buffer.from(
      JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        created: '2020-01-01T00:00:00Z',
        author: name,
        rootfs: { type: 'layers', diff_ids: diffIds },
      }),
    ),
    `${OCI}.config.v1+json`,
  );
  const manifest = put(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: `${OCI}.manifest.v1+json`,
        config,
        layers: described,
      }),
    ),
    `${OCI}.manifest.v1+json`,
  );
  writeFileSync(join(root, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const annotations = { 'org.opencontainers.image.ref.name': '1' };
  writeFileSync(
    join(root, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  const archive = `${root}.tar`;
  execFileSync('tar', ['-C', root, '-cf', archive, 'oci-layout', 'index.json', 'blobs']);
  rmSync(root, { recursive: true, force: true });
  return { archive };
}
