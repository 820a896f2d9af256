import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PlainRepository } from '../../../test/support/registry-image.js';
import { startRegistryServer, type RegistryServer } from '../../../test/support/registry.js';
import { TagResolver } from '../src/tag-resolver.js';

let registry: RegistryServer;
beforeAll(async () => {
  registry = await startRegistryServer();
});
afterAll(() => registry.stop());

/** An image without layers. @returns the manifest's digest. */
function push(tag: string, created: string): Promise<string> {
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', created }));
  return new PlainRepository(registry.host, 'shop/web').push(tag, { layers: [], config });
}

describe('a tag on a real registry', () => {
  it('is the digest of its manifest, and another one once somebody pushed over it', async () => {
    const tags = new TagResolver({ settings: { [registry.host]: { insecure: true } } });
    const web = `${registry.host}/shop/web:2.0`;
    const first = await push('2.0', 'before');
    expect((await tags.resolve([web])).get(web)).toEqual({ digest: first });
    const second = await push('2.0', 'after');
    expect(second).not.toBe(first);
    expect((await tags.resolve([web])).get(web)).toEqual({ digest: second });
    tags.onApplicationShutdown();
  });

  it('that is not there, or cannot be asked for, is told, and keeps no other from its answer', async () => {
    const digest = await push('3.0', 'three');
    const tags = new TagResolver({ settings: { [registry.host]: { insecure: true } } });
    const [there, absent] = ['3.0', '9.9'].map((tag) => `${registry.host}/shop/web:${tag}`);
    const nowhere = '127.0.0.1:1/shop/web:1';
    const answers = await tags.resolve([there ?? '', absent ?? '', nowhere, 'A.B/C:x']);
    expect(answers.get(there ?? '')).toEqual({ digest });
    expect(answers.get(absent ?? '')).toEqual({ problem: `${registry.host} has no ${absent}` });
    const told = (tag: string): string => JSON.stringify(answers.get(tag));
    expect(told(nowhere)).toMatch(/^{"problem":".*127\.0\.0\.1:1/);
    expect(told('A.B/C:x')).toMatch(/^{"problem":".*lower case/);
    tags.onApplicationShutdown();
  });
});
