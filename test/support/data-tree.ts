import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack } from 'tar-stream';

/** `\xHH`: a file capability of version 2, `cap_net_bind_service=ep` (capabilities(7)). */
const CAPABILITY = '\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0';

/** Attributes that Node has no call for, set by tar from such headers. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  'SCHILY.xattr.user.note': 'kept, with a line\nand a space',
  'SCHILY.acl.access': 'user::rw-\nuser:1234:r--\ngroup::r--\nmask::r--\nother::---\n',
};

export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'liftlock-data-'));
}

/** Fills a folder with one of everything that a file system may hold. */
export async function plantTree(folder: string): Promise<void> {
  const at = (name: string): string => join(folder, name);
  await plantAttributes(folder);
  writeFileSync(at('plain'), 'plain\n');
  writeFileSync(at('zero'), '');
  writeFileSync(at('owned'), 'by one who exists nowhere\n');
  chownSync(at('owned'), 4_000_123, 4_000_456);
  for (const [name, mode] of [
    ['setuid', 0o4755],
    ['secret', 0o600],
    ['none', 0o000],
  ] as const) {
    writeFileSync(at(name), name);
    chmodSync(at(name), mode);
  }
  for (const [name, mode] of [
    ['empty folder', 0o755],
    ['sticky', 0o1777],
    ['setgid', 0o2750],
  ] as const) {
    mkdirSync(at(name));
    chmodSync(at(name), mode);
  }
  writeFileSync(at('first-name'), 'one file, three names\n');
  linkSync(at('first-name'), at('second-name'));
  linkSync(at('first-name'), at('setgid/third-name'));
  symlinkSync('plain', at('link'));
  symlinkSync('/nowhere/at all', at('dangling'));
  symlinkSync('empty folder', at('link to a folder'));
  writeFileSync(at('sparse'), 'begin');
  truncateSync(at('sparse'), 64 * 1024 * 1024);
  execFileSync('mkfifo', [at('fifo')]);
  execFileSync('mknod', [at('device'), 'c', '1', '3']);
  const deep = join(...Array.from({ length: 12 }, (_, i) => `${'deep'.repeat(20)}${i}`));
  mkdirSync(at(deep), { recursive: true });
  writeFileSync(at(join(deep, 'bottom')), 'far below');
  for (const name of ODD_NAMES)
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), name]), name);
  stamp(folder);
}

/** What shells, lists by line and UTF-8 readers stumble over. */
export const ODD_NAMES = [
  Buffer.from('with\nnewline'),
  Buffer.from([0x6c, 0x61, 0x74, 0x69, 0x6e, 0xe9, 0x31]),
  Buffer.from([0xff, 0xfe, 0x01]),
  Buffer.from(String.raw`back\slash \xE9`),
  Buffer.from(`'quotes" $(touch x) \`y\` *?[a]`),
  Buffer.from('-rf'),
  Buffer.from(' spaces '),
  Buffer.from('käse 🧀'),
  Buffer.from('n'.repeat(255)),
];

/** Files with extended attributes, an access list and a capability. */
async function plantAttributes(folder: string): Promise<void> {
  const tar = pack();
  tar.entry({ name: 'attributes', mode: 0o640, pax: { ...ATTRIBUTES } }, 'attributes');
  tar.entry(
    { name: 'capable', mode: 0o755, pax: { 'SCHILY.xattr.security.capability': CAPABILITY } },
    'capable',
  );
  tar.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of tar) pieces.push(piece as Buffer);
  const options = ['--xattrs', '--xattrs-include=*', '--acls', '-C', folder];
  execFileSync('tar', ['--extract', ...options], { input: Buffer.concat(pieces) });
}

/** Times with nanoseconds, on links too, folders last. */
function stamp(folder: string): void {
  const all = execFileSync('find', [folder, '-depth', '-print0']).toString('latin1').split('\0');
  for (const [i, path] of all.filter(Boolean).entries()) {
    const time = `2001-02-03T04:05:${String(i % 60).padStart(2, '0')}.${String(100_000_007 + i * 1_234_567).slice(0, 9)}Z`;
    // Node takes arguments as UTF-8 only: a shell reads this one from its input
    execFileSync('sh', ['-c', `xargs -0 touch -h -d ${time} --`], {
      input: Buffer.from(`${path}\0`, 'latin1'),
    });
  }
}

/** All that GNU tar knows of a folder, as a hash: two are equal only if nothing differs. Sockets are no part of it. */
export function treeDigest(folder: string): string {
  const tar = execFileSync(
    'tar',
    [
      ...['--create', '--format=posix', '--sort=name', '--sparse-version=0.0', '--numeric-owner'],
      ...['--xattrs', '--xattrs-include=*', '--acls', '--warning=no-file-ignored'],
      '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
      ...['-C', folder, '.'],
    ],
    { maxBuffer: 256 * 1024 * 1024 },
  );
  return createHash('sha256').update(tar).digest('hex');
}

/** What `find` says of every entry, a line each, to see what differs. */
export function treeLines(folder: string): string[] {
  const format = '%y %m %U:%G %s %n %T@ %P -> %l\\0';
  const found = execFileSync('find', [folder, '-printf', format], { encoding: 'latin1' });
  // a folder's size is the file system's business
  return found
    .split('\0')
    .filter(Boolean)
    .map((line) => line.replace(/^(d \S+ \S+) \d+ \d+/, '$1'))
    .toSorted();
}

/** What a new version might do to its data: changes, removes, adds and exchanges. */
export function damage(folder: string): void {
  const at = (name: string): string => join(folder, name);
  writeFileSync(at('plain'), 'PLAIN\n');
  rmSync(at('owned'));
  rmSync(at('second-name'));
  rmSync(at('link'));
  mkdirSync(at('link'));
  writeFileSync(at('link/inside'), 'a folder where a link was');
  rmSync(at('empty folder'), { recursive: true });
  writeFileSync(at('empty folder'), 'a file where a folder was');
  writeFileSync(at('sparse'), 'no hole');
  chmodSync(at('secret'), 0o666);
  chmodSync(folder, 0o700);
  writeFileSync(at('new by the new version'), 'to be removed');
  mkdirSync(at('new folder/below'), { recursive: true });
  writeFileSync(Buffer.concat([Buffer.from(`${folder}/new`), Buffer.from([0xe9, 0x0a])]), '');
  symlinkSync('/etc/passwd', at('new link'));
  for (const name of readdirSync(folder, { encoding: 'buffer' })) {
    if (name.includes(0x0a) && !name.includes(0xe9))
      rmSync(Buffer.concat([Buffer.from(`${folder}/`), name]));
  }
}

/** Blocks of 512 bytes that a file takes. */
export function blocksOf(folder: string, name: string): number {
  return Number(execFileSync('stat', ['-c', '%b', join(folder, name)], { encoding: 'utf8' }));
}
