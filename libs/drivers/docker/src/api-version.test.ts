import { describe, expect, test } from 'vitest';
import { commonVersion, SPOKEN } from './api-version.js';

const ENGINE = { name: 'one', endpoint: 'unix:///x.sock' };
const said = (ApiVersion: string, MinAPIVersion?: string): string =>
  commonVersion(ENGINE, {
    Version: '1.2.3',
    ApiVersion,
    ...(MinAPIVersion ? { MinAPIVersion } : {}),
  });

describe('the version of the Engine API', () => {
  test.each([
    ['1.41', '1.12', '1.41'],
    [SPOKEN.min, '1.12', SPOKEN.min],
    [SPOKEN.max, '1.24', SPOKEN.max],
    ['1.99', '1.44', SPOKEN.max],
    ['1.100', SPOKEN.max, SPOKEN.max],
    ['1.41', undefined, '1.41'],
  ])('of an engine that speaks up to %s, from %s, is %s', (newest, oldest, expected) => {
    expect(said(newest, oldest)).toBe(expected);
  });

  test.each([
    ['1.39', '1.12', /1\.2\.3 of one speaks the API from 1\.12 to 1\.39.*upgrade that engine/],
    ['1.9', '1.1', /upgrade that engine/],
    ['1.99', '1.90', /from 1\.90 to 1\.99; this Liftlock speaks .*upgrade Liftlock/],
    ['', '', /is it a Docker Engine/],
  ])('of one that speaks up to %j, from %j, is none: it says why', (newest, oldest, message) => {
    expect(() => said(newest, oldest)).toThrow(message);
  });
});
