import { expect, test } from 'vitest';
import type { Descriptor } from '../descriptor.js';
import { parsePlatform, selectPlatforms } from './platforms.js';

const entry = (digit: string, platform?: string, of?: string): Descriptor => {
  const [os = '', architecture = '', variant] = platform?.split('/') ?? [];
  return {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: `sha256:${digit.repeat(64)}`,
    size: 1,
    urls: [],
    annotations:
      of === undefined ? {} : { 'vnd.docker.reference.digest': `sha256:${of.repeat(64)}` },
    ...(platform === undefined
      ? {}
      : { platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } }),
  };
};

const ENTRIES = [
  entry('1', 'linux/amd64'),
  entry('2', 'linux/arm/v7'),
  entry('3', 'windows/amd64'),
  entry('4', 'unknown/unknown', '1'),
  entry('5', 'unknown/unknown', '2'),
  entry('6'),
];

test.each([
  [['linux/amd64'], '146'],
  [['linux/arm'], '256'],
  [['linux/arm/v7'], '256'],
  [['linux/arm/v8'], '6'],
  [['linux'], '12456'],
  [[], '123456'],
])('%j takes its images, their attestations, and what has no platform', (texts, digits) => {
  const chosen = selectPlatforms(ENTRIES, texts.map(parsePlatform));
  expect(chosen.map(({ digest }) => digest.at(-1)).join('')).toBe(digits);
});

test.each(['', 'a/b/c/d', 'linux/', 'linux/amd64 '])('%j is refused', (text) => {
  expect(() => parsePlatform(text)).toThrow(/is not a platform/);
});
