import { describe, expect, test } from 'vitest';
import { Copier, MEDIA_TYPES, RegistrySource, type CopyJob, type Credentials } from '#oci';
import { artifact, content, image, index, layer, push } from './support/images.js';
import {
  connect,
  copy,
  expectWhole,
  first,
  registries,
  source,
  target,
  UPLOAD,
  useOddRegistries,
} from './support/odd-pair.js';

useOddRegistries();

describe('registries as they are', () => {
  test('without HEAD', async () => {
    source.habits = { noHead: true };
    target.habits = { noHead: true };
    const one = image();
    await copy(one);
    expectWhole(one);
  });

  test('with sessions at a place of their own', async () => {
    target.habits = { oddLocations: true };
    const one = image();
    await copy(one);
    expectWhole(one);
  });

  test.each([405, 413])(
    'that take blobs in chunks only, and say so with a %i',
    async (refusesWhole) => {
      target.habits = { refusesWhole, chunkMin: 5_000, oddLocations: true };
      const one = image({ layers: [layer(18 * 1024 * 1024), layer(0), layer(10)] });
      await copy(one);
      expectWhole(one);
      expect(target.count('PATCH', UPLOAD)).toBeGreaterThanOrEqual(4);
      expect(target.sessions.size).toBe(0);
    },
  );

  test('a chunk that is cut is sent again from where the registry is', async () => {
    target.habits = { refusesWhole: 405 };
    const one = image({ layers: [layer(20 * 1024 * 1024)] });
    const order = first(1, 'PATCH', UPLOAD, { kind: 'cut-upload', after: 1_000_000 });
    target.order = (call) =>
      Number(call.headers['content-length']) > 1_000_000 ? order(call) : undefined;
    await copy(one);
    expectWhole(one);
    expect(target.count('GET', UPLOAD)).toBe(1);
  });

  test.each([true, false])('with the referrers API: %s', async (referrers) => {
    source.habits = { referrers: true };
    target.habits = { referrers };
    const one = image();
    const sbom = artifact(one, 'sbom');
    source.hold('app', sbom);
    expect(await copy(one)).toMatchObject({ referrers: 1 });
    expectWhole(one);
    const to = new RegistrySource(
      registries.repository({ registry: target.host, repository: 'mirror/app' }),
    );
    expect((await to.referrers(one.manifest.digest)).map(({ digest }) => digest)).toEqual([
      sbom.manifest.digest,
    ]);
    // a tag in place of the API is written only where there is none
    expect(target.manifests.has(`mirror/app@${one.manifest.digest.replace(':', '-')}`)).toBe(
      !referrers,
    );
  });

  test('a chosen platform of an index, where the registry allows it, and the way out where not', async () => {
    const chosen = image();
    const one = index([chosen, image({ architecture: 'arm64' })], ['linux/amd64', 'linux/arm64']);
    const platforms = [{ os: 'linux', architecture: 'amd64' }];
    await copy(one, { platforms });
    expect(target.manifests.has(`mirror/app@${chosen.manifest.digest}`)).toBe(true);
    expect(target.manifests.has(`mirror/app@${one.manifests[1]?.digest ?? ''}`)).toBe(false);
    expect(target.manifests.get('mirror/app@v1')?.bytes.equals(one.manifest.bytes)).toBe(true);
    target.habits = { noSparse: true };
    target.manifests.clear();
    await expect(copy(one, { platforms })).rejects.toThrow(/all platforms/);
  });

  test('layers that may not be copied stay where they are; a registry that wants them is told at once', async () => {
    const foreign = content(Buffer.from('elsewhere'), MEDIA_TYPES.dockerForeignLayer);
    const oci = content(
      Buffer.from('elsewhere, too'),
      'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    );
    const one = image({ layers: [layer(100), foreign, oci] });
    const here = { ...one, blobs: one.blobs.filter((blob) => blob !== foreign && blob !== oci) };
    await copy(here);
    expectWhole(here);
    expect(target.blobs.size).toBe(2);
    target.habits = { noForeign: true };
    target.manifests.clear();
    const before = target.calls.length;
    await expect(copy(here)).rejects.toThrow(/non-distributable.*urls\.allow/);
    expect(target.calls.slice(before).filter(({ method }) => method === 'PUT').length).toBeLessThan(
      3,
    );
  });

  test('a registry that has cleared up since is found out, and filled again', async () => {
    const one = image();
    const copier = new Copier();
    source.hold('app', one, 'v1');
    const job: CopyJob = {
      source: new RegistrySource(
        registries.repository({ registry: source.host, repository: 'app' }),
      ),
      reference: 'v1',
      target: registries.repository({ registry: target.host, repository: 'mirror/app' }, 'push'),
      tags: ['v1'],
    };
    await copier.copy(job);
    target.blobs.clear();
    target.manifests.clear();
    await copier.copy(job);
    expectWhole(one);
  });
});

describe('signing in', () => {
  test('tokens that end in mid-copy are renewed', async () => {
    source.habits = { tokens: { voidAt: [6] } };
    target.habits = { tokens: { voidAt: [5, 15] } };
    const one = image({ layers: [1, 2, 3, 4, 5].map((size) => layer(size * 50_000)) });
    await copy(one);
    expectWhole(one);
  });

  test('one token is fetched for all that wait for it', async () => {
    target.habits = { tokens: { voidAt: [] } };
    await copy(image({ layers: [1, 2, 3, 4, 5, 6, 7].map((size) => layer(size * 100)) }));
    expect(target.count('TOKEN', /./)).toBe(1);
  });

  test('with a name and a password, and not without', async () => {
    target.habits = { basic: { username: 'me', password: 'p:w' } };
    const one = image();
    await expect(copy(one)).rejects.toMatchObject({ code: 'registry_denied' });
    const signedIn = connect({
      settings: {
        [target.host]: { insecure: true, credentials: { username: 'me', password: 'p:w' } },
      },
    });
    await copy(one, {}, signedIn);
    signedIn.close();
    expectWhole(one);
  });

  test('who keeps the password is asked for it once, and again when it is refused', async () => {
    target.habits = { basic: { username: 'me', password: 'new' } };
    let asked = 0;
    const find = (registry: string): Promise<Credentials | undefined> => {
      if (registry !== target.host) return Promise.resolve(undefined);
      asked += 1;
      return Promise.resolve({ username: 'me', password: asked < 2 ? 'old' : 'new' });
    };
    const signedIn = connect({ credentials: { find } });
    const one = image({ layers: [1, 2, 3, 4, 5, 6, 7].map((size) => layer(size * 100)) });
    await signedIn.client(target.host).ping();
    expect(asked).toBe(2);
    await copy(one, {}, signedIn);
    signedIn.close();
    expectWhole(one);
    // its repository may have another one
    expect(asked).toBe(3);
  });

  test('a wrong password is not told', async () => {
    target.habits = { basic: { username: 'me', password: 'right' } };
    const wrong = connect({
      settings: {
        [target.host]: { insecure: true, credentials: { username: 'me', password: 'hunter2' } },
      },
    });
    const error: unknown = await copy(image(), {}, wrong).catch((thrown: unknown) => thrown);
    wrong.close();
    expect(error).toMatchObject({ code: 'registry_denied' });
    expect(JSON.stringify(error) + String(error)).not.toMatch(/hunter2|aHVudGVyMg/);
  });
});

test('the helper that fills registries makes them whole', async () => {
  const one = image();
  await push(
    registries.repository({ registry: target.host, repository: 'mirror/app' }, 'push'),
    one,
    'v1',
  );
  expectWhole(one);
});
