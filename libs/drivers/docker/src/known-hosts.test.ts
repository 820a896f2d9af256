import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fingerprintOf, keyAmong, knownKeysOf } from './known-hosts.js';

const ONE = 'AAAAC3NzaC1lZDI1NTE5AAAAIEZ1gk0o7Vw0Hn0yMf0O5XwqTt0m1m8kq3j5oQm1Q2rD';
const TWO = 'AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
const keysFor = (text: string, host: string, port = 22): string[] =>
  knownKeysOf(text, host, port).map(({ key, revoked }) => (revoked ? `!${key}` : key));

describe('lines of known_hosts', () => {
  test.each([
    ['the name', `host ssh-ed25519 ${ONE}`, 'host', 22, [ONE]],
    ['another name', `host ssh-ed25519 ${ONE}`, 'hosts', 22, []],
    ['a list', `10.0.0.7,host ssh-ed25519 ${ONE} comment`, 'host', 22, [ONE]],
    ['in other case', `Host.Example ssh-ed25519 ${ONE}`, 'host.example', 22, [ONE]],
    ['another port', `host ssh-ed25519 ${ONE}`, 'host', 2222, []],
    ['with the port', `[host]:2222 ssh-ed25519 ${ONE}`, 'host', 2222, [ONE]],
    ['with the port, asked at 22', `[host]:2222 ssh-ed25519 ${ONE}`, 'host', 22, []],
    ['a pattern', `*.example ssh-ed25519 ${ONE}`, 'a.example', 22, [ONE]],
    ['a dot that is no pattern', `a.example ssh-ed25519 ${ONE}`, 'abexample', 22, []],
    ['an exception', `*.example,!b.example ssh-ed25519 ${ONE}`, 'b.example', 22, []],
    ['revoked', `@revoked host ssh-ed25519 ${ONE}`, 'host', 22, [`!${ONE}`]],
    [
      'an authority, which is not spoken',
      `@cert-authority host ssh-ed25519 ${ONE}`,
      'host',
      22,
      [],
    ],
    ['what is none', `# host ssh-ed25519 ${ONE}\n\nhost\n`, 'host', 22, []],
    ['two', `host ssh-ed25519 ${ONE}\r\nhost ssh-ed25519 ${TWO}`, 'host', 22, [ONE, TWO]],
  ])('%s', (_name, text, host, port, expected) => {
    expect(keysFor(text, host, port)).toEqual(expected);
  });

  test('names that ssh-keygen hashed, and its fingerprint', () => {
    const folder = mkdtempSync(join(tmpdir(), 'liftlock-known-'));
    const file = join(folder, 'known_hosts');
    writeFileSync(file, `[host]:2222,10.0.0.7 ssh-ed25519 ${ONE}\n`);
    execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' });
    const hashed = readFileSync(file, 'utf8');
    expect(hashed).not.toContain('host');
    expect(keysFor(hashed, 'host', 2222)).toEqual([ONE]);
    expect(keysFor(hashed, '10.0.0.7')).toEqual([ONE]);
    expect(keysFor(hashed, 'host')).toEqual([]);
    const listed = execFileSync('ssh-keygen', ['-l', '-f', file], { encoding: 'utf8' });
    expect(listed).toContain(fingerprintOf(Buffer.from(ONE, 'base64')));
    rmSync(folder, { recursive: true });
  });

  test('a key that is revoked on one line is revoked on every other', () => {
    const text = `host ssh-ed25519 ${ONE}\n@revoked host ssh-ed25519 ${ONE}`;
    expect(keyAmong(knownKeysOf(text, 'host', 22), Buffer.from(ONE, 'base64'))?.revoked).toBe(true);
    expect(keyAmong(knownKeysOf(text, 'host', 22), Buffer.from(TWO, 'base64'))).toBeUndefined();
  });
});
