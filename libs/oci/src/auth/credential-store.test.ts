import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DockerConfigStore } from './credential-store.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-credentials-'));
  const helper =
    '#!/bin/sh\nread server\ncase $server in\n  known) echo \'{"Username":"u","Secret":"from-helper"}\';;\n  token) echo \'{"Username":"<token>","Secret":"refresh"}\';;\n  broken) echo hunter2 >&2; exit 3;;\n  *) echo credentials not found in native keychain; exit 1;;\nesac\n';
  writeFileSync(join(folder, 'docker-credential-test'), helper);
  chmodSync(join(folder, 'docker-credential-test'), 0o755);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function store(...configs: object[]): DockerConfigStore {
  const files = configs.map((config, at) => {
    const file = join(folder, `config-${at}.json`);
    writeFileSync(file, JSON.stringify(config));
    return file;
  });
  return new DockerConfigStore([join(folder, 'missing.json'), ...files], {
    PATH: `${folder}:/usr/bin:/bin`,
  });
}

const auth = (text: string): { auth: string } => ({ auth: Buffer.from(text).toString('base64') });

describe('credentials', () => {
  test('a password may hold colons', async () => {
    const found = await store({ auths: { 'reg.io': auth('me:a:b') } }).find('reg.io', 'app');
    expect(found).toEqual({ username: 'me', password: 'a:b' });
  });

  test('the narrowest entry counts', async () => {
    const two = store({ auths: { 'reg.io': auth('all:1'), 'reg.io/team': auth('team:2') } });
    expect(await two.find('reg.io', 'team/app')).toMatchObject({ username: 'team' });
    expect(await two.find('reg.io', 'teams/app')).toMatchObject({ username: 'all' });
  });

  test("Docker Hub's is filed under another name", async () => {
    const found = await store({ auths: { 'https://index.docker.io/v1/': auth('hub:1') } }).find(
      'docker.io',
      'library/app',
    );
    expect(found).toMatchObject({ username: 'hub' });
  });

  test('the first file that knows the registry counts', async () => {
    const found = await store(
      { auths: { other: auth('x:1') } },
      { auths: { 'reg.io': auth('second:1') } },
    ).find('reg.io', 'a');
    expect(found).toMatchObject({ username: 'second' });
  });

  test('a refresh token, of the file or of a helper', async () => {
    const config = {
      auths: { 'reg.io': { identitytoken: 'refresh' } },
      credHelpers: { token: 'test' },
    };
    expect(await store(config).find('reg.io', 'a')).toEqual({ identityToken: 'refresh' });
    expect(await store(config).find('token', 'a')).toEqual({ identityToken: 'refresh' });
  });

  test('a helper that does not know the registry means none, and one that fails is an error without its words', async () => {
    const all = store({ credsStore: 'test' });
    expect(await all.find('known', 'a')).toEqual({ username: 'u', password: 'from-helper' });
    expect(await all.find('unknown', 'a')).toBeUndefined();
    const error: unknown = await all.find('broken', 'a').catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'misconfigured' });
    expect(String(error)).not.toContain('hunter2');
  });

  test('a file that is no JSON is an error that does not quote it', async () => {
    const file = join(folder, 'broken.json');
    writeFileSync(file, '{"auths": hunter2');
    const error: unknown = await new DockerConfigStore([file], {})
      .find('a.io', 'b')
      .catch((thrown: unknown) => thrown);
    expect(String(error)).toContain(file);
    expect(String(error)).not.toContain('hunter2');
  });
});
