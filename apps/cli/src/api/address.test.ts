import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findAddress } from './address.js';

const none = { server: undefined, token: undefined, colours: false };
const file = { url: 'http://127.0.0.1:7480', token: 'of-the-file' };
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-cli-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeClient(text: string): void {
  writeFileSync(join(folder, 'client.json'), text);
}

describe('which fleet is meant', () => {
  it('the command line wins over the environment, and that over the file', () => {
    writeClient(JSON.stringify(file));
    const env = { ...none, server: 'http://env:1', token: 'of-env' };
    expect(findAddress({ server: 'http://given:2', token: 'given' }, env, folder)).toEqual({
      url: 'http://given:2/',
      token: 'given',
    });
    expect(findAddress({}, env, folder)).toEqual({ url: 'http://env:1/', token: 'of-env' });
    expect(findAddress({}, none, folder)).toEqual({ url: `${file.url}/`, token: file.token });
  });

  it("the file's token is never sent to another server", () => {
    writeClient(JSON.stringify(file));
    expect(() => findAddress({ server: 'http://elsewhere:1' }, none, folder)).toThrow(
      'no token for',
    );
    expect(findAddress({ server: 'http://127.0.0.1:7480/' }, none, folder).token).toBe(file.token);
  });

  it.each(['127.0.0.1:7480', 'ftp://host', 'nonsense', ''])('%j is no address', (server) => {
    expect(() => findAddress({ server, token: 'x' }, none, folder)).toThrow('must be a URL');
  });

  it('a password in the address is refused: it would be in every log', () => {
    expect(() => findAddress({ server: 'http://a:b@host', token: 'x' }, none, folder)).toThrow(
      '--token',
    );
  });

  it('a token with a line break cannot become a header', () => {
    expect(() => findAddress({ server: 'http://host', token: 'a\nb' }, none, folder)).toThrow(
      'the token holds',
    );
  });

  it('nothing known says how to begin; a damaged file says how to mend it', () => {
    expect(() => findAddress({}, none, folder)).toThrow('./liftlock up');
    writeClient('{"url": 1}');
    expect(() => findAddress({}, none, folder)).toThrow('writes it anew');
  });
});
