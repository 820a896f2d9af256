import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { DataEntry } from '#drivers/core';
import { differences } from './differences.js';
import { manifestText, parseManifest, sealManifest, type Manifest } from './manifest.js';

const v1 = readFileSync(new URL('./golden/manifest.v1.json', import.meta.url), 'utf8');

function read(text: string): Manifest {
  const parsed = parseManifest(text);
  if ('problem' in parsed) throw new Error(parsed.problem);
  return parsed.manifest;
}

describe('a manifest', () => {
  it('of version 1, as it lies in repositories, is read for ever', () => {
    expect(read(v1)).toMatchObject({ version: 1, backup: 'h1-web@host-a', files: 1 });
  });

  it('of version 2 comes back as it was written, with all that it has besides', () => {
    const { digest: _digest, ...body } = read(v1);
    const sealed = sealManifest({
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
    expect(read(manifestText(sealed))).toEqual(sealed);
  });

  it('is refused with one bit flipped, wherever it is', () => {
    const bytes = Buffer.from(v1);
    const unseen: number[] = [];
    for (let at = 0; at < bytes.length; at += 1) {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at);
      if (!('problem' in parseManifest(flipped.toString('utf8')))) unseen.push(at);
    }
    expect(unseen).toEqual([]);
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
