import { describe, expect, test } from 'vitest';
import { waitFor } from '#kernel';
import { Copier, Registries, RegistrySource, type CopyJob } from '#oci';
import { image, index, layer } from './support/images.js';
import {
  BLOB,
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
import type { Call, Order } from './support/odd-registry.js';

useOddRegistries();

describe('requests', () => {
  test('a cold copy of n blobs takes at most 3n+3 at the target, a warm one at most 2', async () => {
    const one = image({ layers: [1, 2, 3, 4, 5].map((size) => layer(size * 1_000)) });
    await copy(one);
    expectWhole(one);
    expect(target.calls.length).toBeLessThanOrEqual(3 * one.blobs.length + 3);
    target.calls.length = 0;
    expect(await copy(one)).toMatchObject({ found: 'there', bytes: 0 });
    expect(target.calls.length).toBeLessThanOrEqual(2);
  });

  test('a blob that another repository of the target has is mounted, without being asked for', async () => {
    const one = image();
    const copier = new Copier();
    source.hold('app', one, 'v1');
    const from = new RegistrySource(
      registries.repository({ registry: source.host, repository: 'app' }),
    );
    const to = (repository: string): ReturnType<Registries['repository']> =>
      registries.repository({ registry: target.host, repository }, 'push');
    await copier.copy({ source: from, reference: 'v1', target: to('a'), tags: ['v1'] });
    target.calls.length = 0;
    source.calls.length = 0;
    const second = await copier.copy({
      source: from,
      reference: 'v1',
      target: to('b'),
      tags: ['v1'],
    });
    expect(second.blobs).toEqual({ there: 0, mounted: 3, uploaded: 0 });
    expect(target.count('HEAD', BLOB)).toBe(0);
    expect(source.count('GET', BLOB)).toBe(0);
  });

  test.each([false, true])(
    'a body is asked for while the target says whether it has the blob; it is ended when it has (%s)',
    async (isThere) => {
      const one = image({ layers: [layer(20_000_000)] });
      if (isThere)
        for (const { descriptor, bytes } of one.blobs)
          target.blobs.set(`mirror/app@${descriptor.digest}`, bytes);
      const asked = Promise.withResolvers<void>();
      source.order = ({ method, path }) => {
        if (method === 'GET' && BLOB.test(path)) asked.resolve();
        return undefined;
      };
      target.order = first(2, 'HEAD', BLOB, { kind: 'late', until: asked.promise });
      const count = one.blobs.length;
      expect((await copy(one)).blobs).toEqual({
        ...{ there: isThere ? count : 0, mounted: 0, uploaded: isThere ? 0 : count },
      });
      expectWhole(one);
      expect(source.count('GET', BLOB)).toBe(count);
      await waitFor(() => source.underWay === 0, {
        ...{ what: 'the end of the bodies', deadlineMs: 60_000, everyMs: 1 },
      });
    },
  );

  test('what the source has not leaves no session', async () => {
    const one = image({ layers: [layer(1_000)] });
    source.order = first(99, 'GET', BLOB, { kind: 'status', status: 404 });
    await expect(copy(one)).rejects.toMatchObject({ code: 'image_missing' });
    expect(target.sessions.size).toBe(0);
    expect(target.manifests.size).toBe(0);
  });

  test.each([
    ['a registry that does not mount', { noMount: true }],
    ['one that gives no token for both repositories', { tokens: { voidAt: [], forOneOnly: true } }],
  ])('%s is given the bytes', async (_which, habits) => {
    target.habits = habits;
    const one = image();
    source.hold('app', one, 'v1');
    const copier = new Copier();
    const from = new RegistrySource(
      registries.repository({ registry: source.host, repository: 'app' }),
    );
    for (const repository of ['a', 'b']) {
      const to = registries.repository({ registry: target.host, repository }, 'push');
      expect(
        (await copier.copy({ source: from, reference: 'v1', target: to, tags: ['v1'] })).blobs
          .uploaded,
      ).toBe(3);
    }
    expect(target.sessions.size).toBe(0);
  });
});

describe('trouble on the way', () => {
  test.each([0, 1, 65_536, 199_999])(
    'a download that is cut after %i bytes goes on from there',
    async (after) => {
      const one = image({ layers: [layer(200_000)] });
      source.order = first(1, 'GET', BLOB, { kind: 'cut', after });
      await copy(one);
      expectWhole(one);
      expect(target.count('PUT', UPLOAD)).toBe(2);
    },
  );

  test('where a registry knows no ranges, what is known is skipped', async () => {
    source.habits = { noRanges: true };
    const one = image({ layers: [layer(200_000)] });
    source.order = first(2, 'GET', BLOB, { kind: 'cut', after: 100_000 });
    await copy(one);
    expectWhole(one);
  });

  test.each([1, 100_000])(
    'an upload that is cut after %i bytes begins anew from its source',
    async (after) => {
      const one = image({ layers: [layer(300_000)] });
      target.order = first(1, 'PUT', UPLOAD, { kind: 'cut-upload', after });
      await copy(one);
      expectWhole(one);
      expect(target.sessions.size).toBe(0);
    },
  );

  test.each([500, 502, 503])('whatever is asked, the first answer is a %i', async (status) => {
    const one = index([image(), image()]);
    const once = (): ((call: Call) => Order | undefined) => {
      const asked = new Set<string>();
      return ({ method, path }) => {
        // a session's own name is another each time
        const key = `${method} ${path.replace(/uploads\/[^?]*/, 'uploads/')}`;
        if (asked.has(key)) return undefined;
        asked.add(key);
        return { kind: 'status', status };
      };
    };
    source.order = once();
    target.order = once();
    await copy(one);
    expectWhole(one);
  });

  test('a 429 makes all wait as long as it says', async () => {
    /** What the target was asked for while it was to be left alone. */
    const askedEarly = async (one: ReturnType<typeof image>): Promise<string[]> => {
      let saidAt = 0;
      const early: string[] = [];
      target.order = (call) => {
        if (saidAt === 0 && call.method === 'HEAD' && BLOB.test(call.path)) {
          saidAt = performance.now();
          return { kind: 'status', status: 429, headers: { 'retry-after': '1' } };
        }
        // looks at other blobs were on their way already
        const since = performance.now() - saidAt;
        const wasSentBefore = call.method === 'HEAD' && since < 300;
        if (saidAt > 0 && since < 900 && !wasSentBefore) early.push(call.path);
        return undefined;
      };
      await copy(one);
      expectWhole(one);
      expect(performance.now() - saidAt).toBeGreaterThanOrEqual(1_000);
      expect(saidAt).toBeGreaterThan(0);
      return early;
    };
    let early = await askedEarly(image());
    // a machine may stand still just then: what is asked early again and again was not on its way
    for (let again = 1; early.length > 0 && again < 5; again += 1)
      early = await askedEarly(image({ layers: [layer(100 + again)] }));
    expect(early).toEqual([]);
  });

  test('a 429 without a time is waited for, too', async () => {
    const one = image();
    target.order = first(2, 'PUT', /\/manifests\//, { kind: 'status', status: 429 });
    await copy(one);
    expectWhole(one);
  });

  test('a registry that wants an hour is told to the person at once', async () => {
    target.order = first(9, 'HEAD', /./, {
      kind: 'status',
      status: 429,
      headers: { 'retry-after': '3600' },
    });
    await expect(copy(image())).rejects.toMatchObject({
      code: 'rate_limited',
      retryAfterMs: 3_600_000,
    });
  });

  test('a lost upload session begins anew', async () => {
    const one = image({ layers: [layer(10)] });
    target.order = first(1, 'PUT', UPLOAD, { kind: 'lose-session' });
    await copy(one);
    expectWhole(one);
  });

  test.each(['drip', 'silence'] as const)(
    'who only %ss is given up, and asked anew',
    async (kind) => {
      const one = image({ layers: [layer(200_000)] });
      source.order = first(1, 'GET', BLOB, { kind });
      const impatient = connect({ stallMs: 2_000 });
      await copy(one, {}, impatient);
      impatient.close();
      expectWhole(one);
      expect(source.count('GET', BLOB)).toBeGreaterThan(one.blobs.length);
    },
  );

  test('a blob that is corrupt on the way once is fetched again; its end was never sent', async () => {
    const one = image({ layers: [layer(100_000)] });
    source.order = first(1, 'GET', BLOB, { kind: 'corrupt' });
    await copy(one);
    expectWhole(one);
  });

  test('a blob that is corrupt at the source is caught before its manifest, and nothing is left', async () => {
    const one = image({ layers: [layer(100_000)] });
    source.order = first(99, 'GET', BLOB, { kind: 'corrupt' });
    await expect(copy(one)).rejects.toMatchObject({ code: 'image_corrupt' });
    expect(target.manifests.size).toBe(0);
    expect(target.sessions.size).toBe(0);
  });

  test('a manifest that is not what its digest says is refused', async () => {
    const one = image();
    source.order = first(99, 'GET', /\/manifests\//, { kind: 'corrupt' });
    await expect(copy(one)).rejects.toMatchObject({ code: 'image_corrupt' });
    expect(target.count('POST', /./)).toBe(0);
  });

  test.each([false, true])(
    'a copy that is called back leaves no session and no tag (%s)',
    async (cancelsByStatus) => {
      target.habits = { cancelsByStatus };
      const one = image({ layers: [layer(3_000_000)] });
      const controller = new AbortController();
      source.order = (call) =>
        call.method === 'GET' && BLOB.test(call.path) ? { kind: 'cut', after: 1_000 } : undefined;
      const copying = copy(one, { signal: controller.signal });
      copying.catch(() => undefined);
      await waitFor(() => target.count('PUT', UPLOAD) === one.blobs.length, {
        ...{ what: 'the uploads', deadlineMs: 60_000, everyMs: 1 },
      });
      controller.abort(new Error('called back'));
      await expect(copying).rejects.toThrow('called back');

      expect(target.sessions.size).toBe(0);
      expect(target.manifests.size).toBe(0);
    },
  );

  test.each([
    ['that is told of late is cancelled', true],
    ['that is never told of holds nobody up for long', false],
  ])('a session that is opened while a copy is called back, %s', async (_which, isTold) => {
    const one = image({ layers: [layer(1_000)] });
    const controller = new AbortController();
    const { promise: until, resolve: tell } = Promise.withResolvers<void>();
    target.order = ({ method }) => (method === 'POST' ? { kind: 'late', until } : undefined);
    const copying = copy(one, { signal: controller.signal });
    copying.catch(() => undefined);
    await waitFor(() => target.sessions.size === one.blobs.length, {
      ...{ what: 'the sessions', deadlineMs: 60_000, everyMs: 1 },
    });
    controller.abort(new Error('called back'));
    if (isTold) tell();
    await expect(copying).rejects.toThrow('called back');
    expect(target.count('DELETE', UPLOAD)).toBe(isTold ? one.blobs.length : 0);
    expect(target.sessions.size).toBe(isTold ? 0 : one.blobs.length);
    expect(target.manifests.size).toBe(0);
  });

  test('one image of two that fails says so, and the other one is there', async () => {
    const good = image();
    const bad = image();
    source.hold('bad', bad, 'v1');
    source.blobs.delete(`bad@${bad.blobs[1]?.descriptor.digest ?? ''}`);
    const copier = new Copier();
    source.hold('app', good, 'v1');
    const job = (repository: string): CopyJob => ({
      source: new RegistrySource(registries.repository({ registry: source.host, repository })),
      reference: 'v1',
      target: registries.repository(
        { registry: target.host, repository: `mirror/${repository}` },
        'push',
      ),
      tags: ['v1'],
    });
    const [failed, done] = await Promise.allSettled([
      copier.copy(job('bad')),
      copier.copy(job('app')),
    ]);
    expect(failed).toMatchObject({ status: 'rejected', reason: { code: 'image_missing' } });
    expect(done.status).toBe('fulfilled');
    expectWhole(good);
    expect(target.manifests.has('mirror/bad@v1')).toBe(false);
  });
});
