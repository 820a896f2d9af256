import { expect, test } from 'vitest';
import { mountAt, parseMounts, placeOf } from './mountinfo.js';

const mounts = parseMounts(
  [
    '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
    String.raw`30 22 0:50 / /mnt/a\040share rw,nosuid - nfs4 10.0.0.5:/export rw,vers=4.2`,
    String.raw`31 30 0:51 /part /mnt/a\040share/below ro shared:3 master:1 - fuse.bindfs /srv rw`,
    '32 22 0:52 / /mnt/twice rw - tmpfs first rw',
    '33 22 0:53 / /mnt/twice rw - tmpfs second ro',
    '',
  ].join('\n'),
);

test('a path is on the innermost mount, and on the last of several at one place', () => {
  expect(mountAt(mounts, '/mnt/a share/kbs')).toEqual({
    ...{ device: '0:50', root: '/', at: '/mnt/a share', isReadOnly: false },
    ...{ type: 'nfs4', source: '10.0.0.5:/export' },
  });
  expect(mountAt(mounts, '/mnt/a share/below/x')).toMatchObject({
    device: '0:51',
    isReadOnly: true,
  });
  expect(mountAt(mounts, '/mnt/twice')).toMatchObject({ source: 'second', isReadOnly: true });
  expect(mountAt(mounts, '/mnt/a sharer')?.at).toBe('/');
});

test('a path has one place on its file system, by whatever mount it is seen', () => {
  expect(placeOf(mounts, '/mnt/a share/below/x')).toEqual({ device: '0:51', path: '/part/x' });
  expect(placeOf(mounts, '/mnt/a share')).toEqual({ device: '0:50', path: '/' });
});
