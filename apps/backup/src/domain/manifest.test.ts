import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { DataEntry } from '#drivers/core';
import { canonicalJson, digestOf } from '#kernel';
import { differences } from './differences.js';
import {
  manifestText,
  parseManifest,
  sealManifest,
  versionFor,
  withSealedEntries,
  type Manifest,
  type SealedEntries,
  type StoredManifest,
} from './manifest.js';

const v1 = readFileSync(new URL('./golden/manifest.v1.json', import.meta.url), 'utf8');

function read(text: string): Manifest {
  const parsed = parseManifest(text);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return { ...parsed.manifest, entries: parsed.manifest.entries ?? [] };
}

const SEALED: SealedEntries = {
  ...{ format: 'age-encryption.org/v1', recipients: ['age1abc'], entries: 'c2VhbGVk' },
};
const sealed = withSealedEntries(read(v1), SEALED);

/** Offsets at which a flipped bit is not seen. */
function unseenIn(text: string): number[] {
  const bytes = Buffer.from(text);
  const unseen: number[] = [];
  for (let at = 0; at < bytes.length; at += 1) {
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at);
    if (!('problem' in parseManifest(flipped.toString('utf8')))) unseen.push(at);
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
    expect(read(manifestText(whole))).toEqual(whole);
  });

  it('is refused with one bit flipped, wherever it is', () => {
    expect(unseenIn(v1)).toEqual([]);
    expect(unseenIn(manifestText(sealed))).toEqual([]);
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
        const said = parseManifest(manifestText(sealManifest({ ...whole, version: other })));
        expect('manifest' in said, `${version} as ${other}`).toBe(other === version);
      }
    }
    const encrypted = (more: Partial<typeof body>): StoredManifest => {
      const whole = { ...body, quiesced, ...more };
      const made = withSealedEntries(
        sealManifest({ ...whole, version: versionFor(whole) }),
        SEALED,
      );
      expect(parseManifest(manifestText(made))).toEqual({ manifest: made });
      return made;
    };
    expect(encrypted({})).toMatchObject({ version: 4 });
    expect(encrypted({ source: inFolder })).toMatchObject({ version: 4 });
    expect(encrypted({ fuzzy })).toMatchObject({ version: 5, fuzzy: { entries: 21, some: [] } });
  });

  it('of version 4 has its entries sealed, and none below it has: what has neither is no backup of nothing', () => {
    const text = manifestText(sealed);
    expect(parseManifest(text)).toEqual({ manifest: sealed });
    // a mount's path says where it was; what lies below it is nobody's business
    for (const { path } of read(v1).entries.slice(1)) expect(text).not.toContain(path);
    expect(text).not.toContain('mtime');
    const { entries: _entries, digest: _digest, ...head } = read(v1);
    for (const wrong of [head, { ...head, sealed: sealed.sealed }, { ...head, version: 4 }]) {
      const whole = { ...wrong, digest: digestOf(wrong) };
      expect(parseManifest(`${canonicalJson(whole)}\n`)).toMatchObject({
        problem: expect.stringContaining('has not what one of version') as string,
      });
    }
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
