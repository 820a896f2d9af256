import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Copier, Registries, RegistrySource, type CopyJob, type Repository } from '#oci';
import { startRegistryServer, type RegistryServer } from '../../../test/support/registry.js';
import {
  artifact,
  content,
  image,
  index,
  layer,
  manifestOf,
  plain,
  push,
  type TestImage,
} from './support/images.js';

const run = promisify(execFile);
let server: RegistryServer;
let other: RegistryServer;
let registries: Registries;
let names = 0;

beforeAll(async () => {
  [server, other] = await Promise.all([startRegistryServer(), startRegistryServer()]);
  registries = new Registries({
    settings: { [server.host]: { insecure: true }, [other.host]: { insecure: true } },
  });
});

afterAll(async () => {
  registries.close();
  await Promise.all([server.stop(), other.stop()]);
});

function place(on: RegistryServer): Repository {
  names += 1;
  return registries.repository({ registry: on.host, repository: `test/n${names}` }, 'push');
}

async function copied(
  one: TestImage,
  more: Partial<CopyJob> = {},
): Promise<{ from: Repository; to: Repository; found: string }> {
  const from = place(server);
  const to = place(other);
  await push(from, one, 'v1');
  const result = await new Copier().copy({
    source: new RegistrySource(from),
    reference: 'v1',
    target: to,
    tags: ['v1'],
    ...more,
  });
  expect(result.digest).toBe(one.manifest.digest);
  return { from, to, found: result.found };
}

/** Reads all of it back with another program. @returns the manifest's bytes */
async function readBack(target: Repository, tag = 'v1'): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'liftlock-skopeo-'));
  try {
    const from = `docker://${target.address}:${tag}`;
    await run('skopeo', [
      'copy',
      '-q',
      '--all',
      '--src-tls-verify=false',
      '--preserve-digests',
      from,
      `dir:${folder}`,
    ]);
    return readFileSync(join(folder, 'manifest.json'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('copies between real registries, read back with skopeo', () => {
  test('an image comes with its very bytes', async () => {
    const one = image();
    const { to } = await copied(one);
    expect(await readBack(to)).toEqual(one.manifest.bytes);
  });

  test('an index comes with all its images', async () => {
    const one = index([image(), image({ architecture: 'arm64' })], ['linux/amd64', 'linux/arm64']);
    const { to } = await copied(one);
    expect(await readBack(to)).toEqual(one.manifest.bytes);
    for (const { digest } of one.manifests) expect((await to.manifest(digest)).digest).toBe(digest);
  });

  test('an index in an index', async () => {
    const inner = index([image(), image()], ['linux/amd64', 'linux/arm64']);
    const one = index([inner, image()], ['', 'linux/s390x']);
    const { to } = await copied(one);
    expect((await to.manifest('v1')).bytes).toEqual(one.manifest.bytes);
    for (const { digest, bytes } of one.manifests)
      expect((await to.manifest(digest)).bytes).toEqual(bytes);
  });

  test('an artifact, and one without layers', async () => {
    const subject = image();
    const sbom = artifact(subject, 'what is in it');
    const { to } = await copied(sbom);
    expect((await to.manifest('v1')).bytes).toEqual(sbom.manifest.bytes);
    const bare = image({ layers: [] });
    expect((await (await copied(bare)).to.manifest('v1')).bytes).toEqual(bare.manifest.bytes);
  });

  test('an empty blob, and one that is named twice', async () => {
    const twice = layer(5_000);
    const one = image({
      layers: [content(Buffer.alloc(0), 'application/octet-stream'), twice, twice],
    });
    const { to } = await copied(one);
    expect((await to.manifest('v1')).bytes).toEqual(one.manifest.bytes);
  });

  test('blobs named by sha512', async () => {
    const one = image({ layers: [layer(3_000, 'sha512')], algorithm: 'sha512' });
    const { to } = await copied(one);
    expect((await to.manifest('v1')).bytes).toEqual(one.manifest.bytes);
  });

  test('fields that nobody knows stay where they are', async () => {
    const one = image({
      more: { 'org.example.new': { deep: [1, 2, 3] }, annotations: { a: 'b' } },
    });
    const { to } = await copied(one);
    expect(await readBack(to)).toEqual(one.manifest.bytes);
  });

  test('what refers to an image comes along, and is found at the target', async () => {
    const one = image();
    const from = place(server);
    const to = place(other);
    await push(from, one, 'v1');
    const sbom = artifact(one, 'sbom');
    const signature = artifact(sbom, 'signature of the sbom', 'application/vnd.test.signature');
    await push(from, sbom);
    await push(from, signature);
    // as a client does it where the registry does not: an index under a tag
    for (const [subject, referrer] of [
      [one, sbom],
      [sbom, signature],
    ] as const) {
      const list = manifestOf(
        {
          schemaVersion: 2,
          mediaType: 'application/vnd.oci.image.index.v1+json',
          manifests: [{ ...plain(referrer.descriptor), artifactType: 'x' }],
        },
        'application/vnd.oci.image.index.v1+json',
      );
      await from.putManifest(subject.manifest.digest.replace(':', '-'), list);
    }
    const cosign = image({ layers: [layer(300)] });
    await push(from, cosign, `${one.manifest.digest.replace(':', '-')}.sig`);
    const source = new RegistrySource(from);
    const result = await new Copier().copy({ source, reference: 'v1', target: to, tags: ['v1'] });
    expect(result.referrers).toBe(3);
    const target = new RegistrySource(to);
    expect((await target.referrers(one.manifest.digest)).map(({ digest }) => digest)).toEqual([
      sbom.manifest.digest,
    ]);
    expect((await target.referrers(sbom.manifest.digest)).map(({ digest }) => digest)).toEqual([
      signature.manifest.digest,
    ]);
    expect((await target.tagged(`${one.manifest.digest.replace(':', '-')}.sig`))?.digest).toBe(
      cosign.manifest.digest,
    );
    // and once more: nothing is written, nothing doubled
    const again = await new Copier().copy({ source, reference: 'v1', target: to, tags: ['v1'] });
    expect(again).toMatchObject({ found: 'there', bytes: 0 });
  });

  test('a copy of many megabytes, one blob in two images at the same time: it is written once', async () => {
    const shared = layer(20 * 1024 * 1024);
    const images = [1, 2, 3].map(() => image({ layers: [shared, layer(100)] }));
    const copier = new Copier();
    const results = await Promise.all(
      images.map(async (one) => {
        const from = place(server);
        await push(from, one, 'v1');
        return { from, one };
      }),
    ).then((pushed) =>
      Promise.all(
        pushed.map(({ from }) =>
          copier.copy({
            source: new RegistrySource(from),
            reference: 'v1',
            target: place(other),
            tags: ['v1'],
          }),
        ),
      ),
    );
    expect(results.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(21 * 1024 * 1024);
    expect(results.filter(({ blobs }) => blobs.mounted === 1)).toHaveLength(2);
  });

  test('one blob in two images of one repository at the same time: it counts once, too', async () => {
    const shared = layer(4 * 1024 * 1024);
    const from = place(server);
    const tags = ['v1', 'v2'];
    for (const tag of tags) await push(from, image({ layers: [shared, layer(100)] }), tag);
    const copier = new Copier();
    const target = place(other);
    const source = new RegistrySource(from);
    const results = await Promise.all(
      tags.map((tag) => copier.copy({ source, reference: tag, target, tags: [tag] })),
    );
    expect(results.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(5 * 1024 * 1024);
  });

  test('a tag that was moved at the source moves at the target', async () => {
    const { from, to } = await copied(image());
    const next = image();
    await push(from, next, 'v1');
    await new Copier().copy({
      source: new RegistrySource(from),
      reference: 'v1',
      target: to,
      tags: ['v1', 'latest'],
    });
    expect((await to.manifest('v1')).digest).toBe(next.manifest.digest);
    expect((await to.tags()).toSorted()).toEqual(['latest', 'v1']);
  });
});
