import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '#kernel';
import { Copier, parseDigest, Registries, RegistrySource, type Repository } from '#oci';
import { PlainRepository, type ServiceImage } from '../../../test/support/registry-image.js';
import { startRegistryServer, type RegistryServer } from '../../../test/support/registry.js';
import { takeAway } from '../src/registries/take-away.js';

let server: RegistryServer;
let keeper: RegistryServer;
let registries: Registries;
beforeAll(async () => {
  [server, keeper] = await Promise.all([
    startRegistryServer({ accessLog: true }),
    startRegistryServer({ deletes: false }),
  ]);
  const insecure = { insecure: true };
  registries = new Registries({ settings: { [server.host]: insecure, [keeper.host]: insecure } });
});
afterAll(async () => {
  registries.close();
  await Promise.all([server.stop(), keeper.stop()]);
});

/** As another client sees it, and as ours does. */
function place(host = server.host): { plain: PlainRepository; ours: Repository } {
  const name = `shop/${randomBytes(4).toString('hex')}`;
  const ours = registries.repository({ registry: host, repository: name }, 'delete');
  return { plain: new PlainRepository(host, name), ours };
}

const image = (): ServiceImage => ({ layers: [randomBytes(100)], config: randomBytes(20) });
const take = (ours: Repository, digest: string, ...tags: string[]): Promise<void> =>
  takeAway(ours, parseDigest(digest), new Set(tags), AbortSignal.timeout(60_000));

/** The digest of the list that stands in for the referrers' API. */
async function listOf(ours: Repository, digest: string): Promise<string> {
  return (await ours.manifest(digest.replace(':', '-'))).digest;
}

describe('an image that nobody needs', () => {
  it('goes with its tag and its signature; the others stay, and a second time is none', async () => {
    const { plain, ours } = place();
    const old = await plain.push('1.0', image());
    const signature = await plain.sign(
      old,
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
    );
    const kept = await plain.push('2.0', image());
    await take(ours, old, '1.0');
    expect(await plain.tags()).toEqual(['2.0']);
    for (const gone of [old, signature])
      expect(await ours.find(parseDigest(gone)), gone).toBeUndefined();
    expect(await plain.digest('2.0')).toBe(kept);
    await take(ours, old, '1.0');
  });

  it('goes with what refers to it by its subject, and with the list of that: what stayed in the list would break the next mirroring', async () => {
    const { plain, ours } = place();
    const one = image();
    const old = await plain.push('1.0', one);
    const sbom = await plain.attach(old);
    expect(await plain.tags()).toEqual(['1.0', old.replace(':', '-')]);
    const list = await listOf(ours, old);
    await take(ours, old, '1.0');
    expect(await plain.tags()).toEqual([]);
    for (const gone of [old, sbom, list])
      expect(await ours.find(parseDigest(gone)), gone).toBeUndefined();

    // brought again, it has what refers to it
    const from = place();
    await from.plain.push('1.0', one);
    const again = await from.plain.attach(old);
    const { referrers } = await new Copier().copy({
      ...{ source: new RegistrySource(from.ours), reference: '1.0', target: ours, tags: ['1.0'] },
      signal: AbortSignal.timeout(60_000),
    });
    expect(referrers).toBe(1);
    expect(await ours.find(parseDigest(again))).toBeDefined();
  });

  it('a deletion that broke off after some of what refers to it is completed by the next', async () => {
    const { plain, ours } = place();
    const old = await plain.push('1.0', image());
    const [signature, sbom] = [
      await plain.sign(old, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
      await plain.attach(old),
    ];
    await plain.deleteManifest(sbom);
    await take(ours, old, '1.0');
    expect(await plain.tags()).toEqual([]);
    for (const gone of [old, signature, sbom])
      expect(await ours.find(parseDigest(gone)), gone).toBeUndefined();
  });

  it('what refers to it is taken away before it: while it is there, another try finds what is left', async () => {
    const { plain, ours } = place();
    const old = await plain.push('1.0', image());
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const sbom = await plain.attach(old);
    const list = await listOf(ours, old);
    const signature = await plain.sign(old, privateKey);
    await take(ours, old, '1.0');
    const deleted = await waitFor(
      () => {
        const asked = server.accesses().flatMap((line) => {
          const of = `"DELETE /v2/${ours.name}/manifests/`;
          return line.includes(of) ? (line.split(of)[1]?.split(' ')[0] ?? []) : [];
        });
        return asked.length === 4 ? asked : undefined;
      },
      { what: 'four deletions in the log of the registry', deadlineMs: 60_000 },
    );
    expect(deleted.toSorted()).toEqual([sbom, list, signature, old].toSorted());
    expect(deleted.at(-1)).toBe(old);
    expect(deleted.indexOf(sbom)).toBeLessThan(deleted.indexOf(list));
  });

  it('what refers to it stays where somebody else has given that a tag, an index names it, or another image has the same', async () => {
    const { plain, ours } = place();
    const old = await plain.push('1.0', image());
    const other = await plain.push('2.0', image());
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const signature = await plain.sign(old, privateKey);
    await plain.tag(signature, `${other.replace(':', '-')}.sig`);
    const sbom = await plain.attach(old);
    await plain.tag(sbom, 'sbom-by-hand');
    await take(ours, old, '1.0');
    expect(await ours.find(parseDigest(old))).toBeUndefined();
    for (const kept of [signature, sbom, other])
      expect(await ours.find(parseDigest(kept)), kept).toBeDefined();
    expect(await plain.digest('sbom-by-hand')).toBe(sbom);
    expect(await plain.digest(`${other.replace(':', '-')}.sig`)).toBe(signature);
    expect(await plain.tags()).not.toContain(old.replace(':', '-'));

    const next = await plain.push('3.0', image());
    const named = await plain.attach(next);
    await plain.pushIndex('all-sboms', [named]);
    await take(ours, next, '3.0');
    expect(await ours.find(parseDigest(next))).toBeUndefined();
    expect(await ours.find(parseDigest(named))).toBeDefined();
    expect(await plain.tags()).toContain('all-sboms');
  });

  it('stays where somebody else has given it a tag: by its digest, that would go, too', async () => {
    const { plain, ours } = place();
    const one = image();
    const digest = await plain.push('1.0', one);
    await plain.push('by-hand', one);
    await expect(take(ours, digest, '1.0')).rejects.toThrow(
      /stays: it has the tag by-hand, which no upgrade gave it/,
    );
    expect(await plain.tags()).toEqual(['1.0', 'by-hand']);
  });

  it('stays where an index names it: the index would be broken', async () => {
    const { plain, ours } = place();
    const digest = await plain.push('amd64', image());
    await plain.pushIndex('all', [digest]);
    await expect(take(ours, digest, 'amd64')).rejects.toThrow(/all names it among its images/);
    expect(await plain.digest('amd64')).toBe(digest);
  });

  it('a registry that deletes nothing is told, with the way out', async () => {
    const { plain, ours } = place(keeper.host);
    const digest = await plain.push('1.0', image());
    await expect(take(ours, digest, '1.0')).rejects.toThrow(/REGISTRY_STORAGE_DELETE_ENABLED/);
  });
});
