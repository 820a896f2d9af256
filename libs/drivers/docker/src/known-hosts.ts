import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** One line of a known_hosts file (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT") that is about a host. */
export interface KnownKey {
  /** `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ssh-rsa` … */
  readonly type: string;
  /** As it goes over the wire, in base64. */
  readonly key: string;
  readonly revoked: boolean;
}

/** The keys that are known of a host, revoked ones included. Certificate authorities (`@cert-authority`) are not spoken. */
export function knownKeysOf(knownHosts: string, host: string, port: number): KnownKey[] {
  const name = port === 22 ? host : `[${host}]:${port}`;
  return knownHosts.split('\n').flatMap((line): KnownKey[] => {
    const words = line.trim().split(/\s+/);
    const marker = words[0]?.startsWith('@') === true ? words.shift() : undefined;
    const [hosts, type, key] = words;
    if (hosts === undefined || hosts.startsWith('#') || type === undefined || key === undefined)
      return [];
    if (marker !== undefined && marker !== '@revoked') return [];
    return covers(hosts, name) ? [{ type, key, revoked: marker === '@revoked' }] : [];
  });
}

/** The fingerprint that `ssh-keygen -l` and OpenSSH's messages show. */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** Which of the known keys it is. */
export function keyAmong(known: readonly KnownKey[], key: Buffer): KnownKey | undefined {
  const same = known.filter((one) => {
    const other = Buffer.from(one.key, 'base64');
    return other.length === key.length && timingSafeEqual(other, key);
  });
  // a key that was revoked anywhere is revoked
  return same.find(({ revoked }) => revoked) ?? same[0];
}

function covers(hosts: string, name: string): boolean {
  const hashed = /^\|1\|([^|]+)\|([^|]+)$/.exec(hosts);
  if (hashed !== null) {
    const [, salt = '', hash = ''] = hashed;
    const own = createHmac('sha1', Buffer.from(salt, 'base64')).update(name.toLowerCase());
    return own.digest('base64') === hash;
  }
  const patterns = hosts.split(',');
  const matches = (pattern: string): boolean => wildcard(pattern).test(name);
  if (patterns.some((one) => one.startsWith('!') && matches(one.slice(1)))) return false;
  return patterns.some((one) => !one.startsWith('!') && matches(one));
}

/** `*` and `?` as in OpenSSH; host names have no case. */
function wildcard(pattern: string): RegExp {
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 'i');
}
