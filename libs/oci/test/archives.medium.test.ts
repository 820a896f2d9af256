import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ArchiveSource,
  Copier,
  MEDIA_TYPES,
  Registries,
  type CopyResult,
  type Repository,
} from '#oci';
import { startRegistryServer, type RegistryServer } from '../../../test/support/registry.js';
import { artifact, image, index, layer, plain, push, type TestImage } from './support/images.js';

const run = promisify(execFile);
let server: RegistryServer;
let registries: Registries;
let folder: string;
let names = 0;

beforeAll(async () => {
  server = await startRegistryServer();
  registries = new Registries({ settings: { [server.host]: { insecure: true } } });
  folder = mkdtempSync(join(tmpdir(), 'liftlock-archives-'));
});

afterAll(async () => {
  registries.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

function place(): Repository {
  names += 1;
  return registries.repository({ registry: server.host, repository: `archive/n${names}` }, 'push');
}

/** An image layout in a tar, written by the machine's own tar. @param listed images and the name that each has */
async function ociArchive(
  listed: readonly (readonly [TestImage, string?])[],
  ...flags: string[]
): Promise<string> {
  const root = mkdtempSync(join(folder, 'layout-'));
  mkdirSync(join(root, 'blobs/sha256'), { recursive: true });
  const put = (digest: string, bytes: Buffer): void =>
    writeFileSync(join(root, 'blobs', digest.replace(':', '/')), bytes);
  for (const [one] of listed) {
    for (const { descriptor, bytes } of one.blobs) put(descriptor.digest, bytes);
    for (const { digest, bytes } of [...one.manifests, one.manifest]) put(digest, bytes);
  }
  const manifests = listed.map(([{ descriptor }, name]) => ({
    ...plain(descriptor),
    ...(name === undefined ? {} : { annotations: { 'org.opencontainers.image.ref.name': name } }),
  }));
  writeFileSync(join(root, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(
    join(root, 'index.json'),
    JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests }),
  );
  const file = join(folder, `${root.slice(-6)}.tar`);
  await run('tar', ['-C', root, ...flags, '-cf', file, '.']);
  return file;
}

async function copied(
  file: string,
  reference?: string,
): Promise<{ to: Repository; result: CopyResult }> {
  const to = place();
  const source = await ArchiveSource.open(file);
  const result = await new Copier().copy({ source, reference, target: to, tags: ['v1'] });
  return { to, result };
}

describe('oci-archive', () => {
  test.each(['--format=ustar', '--format=gnu', '--format=posix'])(
    'written by tar %s',
    async (format) => {
      const one = image({ layers: [layer(3_000_000), layer(1)] });
      const { to } = await copied(await ociArchive([[one]], format));
      expect((await to.manifest('v1')).bytes).toEqual(one.manifest.bytes);
    },
  );

  test.each([
    ['gzip', '-z'],
    ['zstd', '--zstd'],
  ])('compressed by %s, and nothing is unpacked', async (_name, flag) => {
    const one = image({ layers: [layer(3_000_000), layer(800_000)] });
    const { to } = await copied(await ociArchive([[one]], flag));
    expect((await to.manifest('v1')).bytes).toEqual(one.manifest.bytes);
  });

  test('with an index in an index', async () => {
    const one = index([index([image(), image()]), image()]);
    const { to } = await copied(await ociArchive([[one]]));
    for (const { digest } of one.manifests) expect((await to.manifest(digest)).digest).toBe(digest);
  });

  test('with several images: the one that is named; none is an error that names them', async () => {
    const [a, b] = [image(), image()];
    const file = await ociArchive([
      [a, 'registry.example/app:1.0'],
      [b, '2.0'],
    ]);
    expect((await copied(file, 'app:1.0')).result.digest).toBe(a.manifest.digest);
    expect((await copied(file, '2.0')).result.digest).toBe(b.manifest.digest);
    expect((await copied(file, b.manifest.digest)).result.digest).toBe(b.manifest.digest);
    await expect(copied(file)).rejects.toThrow(/registry\.example\/app:1\.0, 2\.0/);
    await expect(copied(file, '3.0')).rejects.toMatchObject({ code: 'image_missing' });
  });

  test.each(['1.0', undefined])(
    'with what refers to the image beside it, which is no other image (%s)',
    async (reference) => {
      const one = image();
      const signature = `${one.manifest.digest.replace(':', '-')}.sig`;
      const file = await ociArchive([
        [artifact(one, 'sbom')],
        [one, '1.0'],
        [image(), `registry.example/app:${signature}`],
      ]);
      const { result, to } = await copied(file, reference);
      expect(result).toMatchObject({ digest: one.manifest.digest, referrers: 2 });
      expect(await to.tags()).toContain(signature);
    },
  );

  test('as skopeo writes it', async () => {
    const from = place();
    const one = image();
    await push(from, one, 'v1');
    const file = join(folder, 'skopeo.tar');
    await run('skopeo', [
      'copy',
      '-q',
      '--preserve-digests',
      '--src-tls-verify=false',
      `docker://${from.address}:v1`,
      `oci-archive:${file}:app:1`,
    ]);
    expect((await copied(file)).result.digest).toBe(one.manifest.digest);
  });

  test('a damaged blob is caught, and nothing is tagged', async () => {
    const file = await ociArchive([[image({ layers: [layer(500_000)] })]]);
    const bytes = readFileSync(file);
    bytes[Math.floor(bytes.length / 2)] = (bytes[Math.floor(bytes.length / 2)] ?? 0) ^ 255;
    writeFileSync(file, bytes);
    const to = place();
    const damaged = await ArchiveSource.open(file);
    await expect(
      new Copier().copy({ source: damaged, target: to, tags: ['v1'] }),
    ).rejects.toMatchObject({ code: 'image_corrupt' });
    expect(await to.find('v1')).toBeUndefined();
  });

  test.each(['', '-z', '--zstd'])('one that was cut off says so (%s)', async (flag) => {
    const file = await ociArchive(
      [[image({ layers: [layer(500_000)] })]],
      ...(flag === '' ? [] : [flag]),
    );
    truncateSync(file, 300_000);
    await expect(ArchiveSource.open(file)).rejects.toMatchObject({ code: 'image_corrupt' });
  });

  test('what is no archive, and what is not there', async () => {
    const file = join(folder, 'text');
    writeFileSync(file, 'hello '.repeat(200));
    await expect(ArchiveSource.open(file)).rejects.toMatchObject({ code: 'image_corrupt' });
    await expect(ArchiveSource.open(join(folder, 'none'))).rejects.toThrow(/there is no such file/);
  });
});

describe('docker save', () => {
  /** As Docker before 25: a folder a layer, a link where two images share one. */
  async function oldArchive(
    name: string,
    ...flags: string[]
  ): Promise<{ file: string; diffIds: string[] }> {
    const root = mkdtempSync(join(folder, 'save-'));
    const diffIds: string[] = [];
    for (const [at, text] of ['one', 'two'].entries()) {
      mkdirSync(join(root, `l${at}`));
      writeFileSync(join(root, 'file'), text.repeat(300_000));
      await run('tar', ['-C', root, '-cf', join(root, `l${at}/layer.tar`), 'file']);
      diffIds.push(
        `sha256:${createHash('sha256')
          .update(readFileSync(join(root, `l${at}/layer.tar`)))
          .digest('hex')}`,
      );
    }
    rmSync(join(root, 'file'));
    mkdirSync(join(root, 'l2'));
    await run('ln', ['-s', '../l0/layer.tar', join(root, 'l2/layer.tar')]);
    const config = JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: [...diffIds, diffIds[0]] },
    });
    writeFileSync(join(root, 'config.json'), config);
    writeFileSync(
      join(root, 'manifest.json'),
      JSON.stringify([
        {
          Config: 'config.json',
          RepoTags: [name],
          Layers: ['l0/layer.tar', 'l1/layer.tar', 'l2/layer.tar'],
        },
      ]),
    );
    const file = join(folder, `${root.slice(-6)}.tar`);
    await run('tar', [
      '-C',
      root,
      ...flags,
      '-cf',
      file,
      'l0',
      'l1',
      'l2',
      'config.json',
      'manifest.json',
    ]);
    return { file, diffIds };
  }

  test.each(['', '-z'])(
    'of old (%s): its layers as they are, read back by skopeo',
    async (flag) => {
      const { file, diffIds } = await oldArchive('app:1.0', ...(flag === '' ? [] : [flag]));
      const { to, result } = await copied(file, 'app:1.0');
      const { stdout } = await run('skopeo', [
        'inspect',
        '--tls-verify=false',
        `docker://${to.address}:v1`,
      ]);
      expect((JSON.parse(stdout) as { Layers: string[] }).Layers).toEqual([...diffIds, diffIds[0]]);
      // the same archive is the same image
      expect((await copied(file)).result.digest).toBe(result.digest);
      expect(result.found).toBe('copied');
    },
  );

  test('one whose layer is not what its configuration says', async () => {
    const { file } = await oldArchive('app:1.0');
    const bad = join(folder, 'bad.tar');
    copyFileSync(file, bad);
    const bytes = readFileSync(bad);
    bytes.write('ONE', bytes.indexOf('oneoneone'));
    writeFileSync(bad, bytes);
    await expect(copied(bad)).rejects.toMatchObject({ code: 'image_corrupt' });
  });
});
