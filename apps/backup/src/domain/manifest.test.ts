import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { DataEntry } from '#drivers/core';
import { canonicalJson, digestOf } from '#kernel';
import { differences } from './differences.js';
import {
  manifestBytes,
  parseManifest,
  sealManifest,
  versionFor,
  withSealedEntries,
  type Manifest,
  type SealedEntries,
  type StoredManifest,
} from './manifest.js';

const v1 = readFileSync(new URL('./golden/manifest.v1.json', import.meta.url));

function read(bytes: Buffer): Manifest {
  const parsed = parseManifest(bytes);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return { ...parsed.manifest, entries: parsed.manifest.entries ?? [] };
}

const SEALED: SealedEntries = {
  ...{ format: 'age-encryption.org/v1', recipients: ['age1abc'], entries: 'c2VhbGVk' },
};
const sealed = withSealedEntries(read(v1), SEALED);

/** Offsets at which a flipped bit is not seen. */
function unseenIn(bytes: Buffer): number[] {
  const unseen: number[] = [];
  for (let at = 0; at < bytes.length; at += 1) {
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at);
    if (!('problem' in parseManifest(flipped))) unseen.push(at);
  }
  return unseen;
}

describe('a manifest', () => {
  it('of version 1, as it lies in repositories, is read for ever', () => {
    expect(read(v1)).toMatchObject({ version: 1, backup: 'h1-web@host-a', files: 1 });
  });

  it('of version 2 comes back as it was written, with all that it has besides', () => {
    const { digest: _digest, ...body } = read(v1);
    const whole = sealManifest({
      ...body,
      version: 2,
      source: {
        ...body.source,
        image: { reference: 'web:1.0', id: 'sha256:1', digests: [] },
        mounts: [{ destination: '/data', kind: 'volume', source: 'web-data' }],
      },
      quiesced: { how: 'stopped', ran: [], startedAt: body.createdAt, endedAt: body.createdAt },
      counts: { file: 1, directory: 1 },
      spaceBytes: 4_096,
      entries: body.entries.map((entry) => ({ ...entry, attributes: { 'user.note': '6b' } })),
    });
    expect(read(manifestBytes(whole))).toEqual(whole);
  });

  it('is refused with one bit flipped, wherever it is', () => {
    expect(unseenIn(v1)).toEqual([]);
    expect(unseenIn(manifestBytes(sealed))).toEqual([]);
  });

  it('has the number of the least version that says what it says, and no other', () => {
    const { digest: _digest, ...body } = read(v1);
    const quiesced = { how: 'running' as const, ran: [], startedAt: 'a', endedAt: 'b' };
    const fuzzy = { entries: 21, some: ['/data/payroll.db'] };
    const inFolder = { ...body.source, folder: '/mnt/share' };
    const restic = { repository: '../../restic', snapshot: 'c'.repeat(64), addedBytes: 7 } as const;
    const inRestic = { ...body.archive, restic };
    const cases: ReadonlyArray<[Partial<typeof body>, 2 | 3 | 4 | 5 | 6]> = [
      [{ quiesced }, 2],
      [{ quiesced, source: inFolder }, 3],
      [{ quiesced: { ...quiesced, how: 'paused' } }, 5],
      [{ quiesced: { ...quiesced, hooks: { after: 'thaw' } } }, 5],
      [{ quiesced, fuzzy }, 5],
      [{ quiesced, fuzzy, source: inFolder }, 5],
      [{ quiesced, archive: inRestic }, 6],
      [{ quiesced, fuzzy, archive: inRestic }, 6],
    ];
    for (const [more, version] of cases) {
      const whole = { ...body, ...more };
      expect(versionFor(whole)).toBe(version);
      for (const other of [2, 3, 4, 5, 6] as const) {
        const said = parseManifest(manifestBytes(sealManifest({ ...whole, version: other })));
        expect('manifest' in said, `${version} as ${other}`).toBe(other === version);
      }
    }
    const encrypted = (more: Partial<typeof body>): StoredManifest => {
      const whole = { ...body, quiesced, ...more };
      const made = withSealedEntries(
        sealManifest({ ...whole, version: versionFor(whole) }),
        SEALED,
      );
      expect(parseManifest(manifestBytes(made))).toEqual({ manifest: made });
      return made;
    };
    expect(encrypted({})).toMatchObject({ version: 4 });
    expect(encrypted({ source: inFolder })).toMatchObject({ version: 4 });
    expect(encrypted({ fuzzy })).toMatchObject({ version: 5, fuzzy: { entries: 21, some: [] } });
  });

  it('of version 4 has its entries sealed, and none below it has: what has neither is no backup of nothing', () => {
    const bytes = manifestBytes(sealed);
    const text = bytes.toString('utf8');
    expect(parseManifest(bytes)).toEqual({ manifest: sealed });
    // a mount's path says where it was; what lies below it is nobody's business
    for (const { path } of read(v1).entries.slice(1)) expect(text).not.toContain(path);
    expect(text).not.toContain('mtime');
    const { entries: _entries, digest: _digest, ...head } = read(v1);
    for (const wrong of [head, { ...head, sealed: sealed.sealed }, { ...head, version: 4 }]) {
      const whole = { ...wrong, digest: digestOf(wrong) };
      expect(parseManifest(Buffer.from(`${canonicalJson(whole)}\n`))).toMatchObject({
        problem: expect.stringContaining('has not what one of version') as string,
      });
    }
  });
});

describe('the entries of a manifest', () => {
  const whole = read(v1);
  const { digest: _digest, ...body } = whole;
  const entry: DataEntry = {
    ...{ path: '/d/x', type: 'file', mode: '0644', uid: 0, gid: 0, size: 0, mtime: '1.0' },
  };
  /** A manifest that says so, with the digest of what it says. */
  const withEntries = (entries: unknown): Buffer => {
    const said = { ...body, entries };
    return Buffer.from(`${canonicalJson({ ...said, digest: digestOf(said) })}\n`);
  };

  it('are each looked at, the last one like the first', () => {
    const wrong: ReadonlyArray<[unknown, RegExp]> = [
      ['none', /expected array/],
      [[entry, 'none'], /expected object/],
      [[entry, { ...entry, path: 7 }], /expected string/],
      [[entry, { ...entry, type: 'door' }], /expected one of "file"/],
      [[entry, { ...entry, uid: 0.5 }], /expected int/],
      [[entry, { ...entry, size: -1 }], /expected number to be >=0/],
      [[entry, { ...entry, changed: null }], /expected string/],
      [[entry, { ...entry, attributes: { 'user.note': 1 } }], /expected string/],
      [[entry, { ...entry, colour: 'red' }], /Unrecognized key: "colour"/],
      [[entry, { ...entry, mtime: undefined }], /expected string/],
    ];
    for (const [entries, problem] of wrong)
      expect(parseManifest(withEntries(entries)), String(problem)).toEqual({
        problem: expect.stringMatching(problem) as string,
      });
    const head = { ...body, token: 'seven', entries: [{ ...entry, uid: 0.5 }] };
    const first = parseManifest(Buffer.from(`${canonicalJson({ ...head, digest: 'none' })}\n`));
    expect(first).toEqual({ problem: expect.stringMatching(/expected number/) as string });
    const bad = { ...body, entries: [{ ...entry, size: -1 }] };
    expect(() => sealManifest(bad)).toThrow(/>=0/);
  });

  it('are what was written, byte for byte: what is no text is refused', () => {
    const bytes = withEntries([{ ...entry, path: '/d/\uFFFD' }]);
    expect(read(bytes).entries).toEqual([{ ...entry, path: '/d/\uFFFD' }]);
    const at = bytes.indexOf('\uFFFD');
    // what stands there then reads as the same name
    const behind = bytes.subarray(at + 3);
    const changed = Buffer.concat([bytes.subarray(0, at), Buffer.from([0xff]), behind]);
    const refused = { problem: 'is not what its digest was made of' };
    expect(parseManifest(changed)).toEqual(refused);
    const [member = '', digest = ''] = /"digest":"(sha256:\w{64})",/.exec(String(bytes)) ?? [];
    const rest = changed.toString('latin1').replace(member, '').slice(0, -1);
    const hash = createHash('sha256').update(rest, 'latin1').digest('hex');
    const text = changed.toString('latin1').replace(digest, `sha256:${hash}`);
    expect(parseManifest(Buffer.from(text, 'latin1'))).toEqual(refused);
  });

  it('may be named like the digest: it is the first that counts', () => {
    const named = [{ ...entry, path: `"digest":"sha256:${'0'.repeat(64)}",` }];
    expect(read(withEntries(named)).entries).toEqual(named);
    const tools = { ...body, archive: { ...body.archive, tools: { digest: 'none' } } };
    expect(read(manifestBytes(sealManifest(tools)))).toMatchObject(tools);
  });
});

describe('what differs after a restore', () => {
  const entry: DataEntry = {
    ...{ path: '/d/x', type: 'file', mode: '0644', uid: 0, gid: 0, size: 0, mtime: '1.0' },
  };

  it('is an attribute or an access list that is lost, too', () => {
    const wanted = { ...entry, attributes: { 'user.note': '6b657074' } };
    expect(differences([wanted], [{ ...entry, attributes: {} }])).toEqual([
      '/d/x has attributes {} and not {"user.note":"6b657074"}',
    ]);
    expect(differences([wanted], [wanted])).toEqual([]);
  });

  it('is nothing that one of the two could not tell, nor the room that it takes', () => {
    const wanted = { ...entry, attributes: { 'user.note': '6b' }, allocated: 4_096 };
    expect(differences([wanted], [entry])).toEqual([]);
    expect(differences([entry], [wanted])).toEqual([]);
  });
});
