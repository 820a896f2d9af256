import { describe, expect, test } from 'vitest';
import { apiHostOf, formatReference, parseReference } from './reference.js';

const DIGEST = `sha256:${'a'.repeat(64)}`;

describe('parseReference', () => {
  test.each([
    ['busybox', 'docker.io/library/busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36'],
    ['me/app', 'docker.io/me/app:latest'],
    ['index.docker.io/app', 'docker.io/library/app:latest'],
    ['localhost/app', 'localhost/app:latest'],
    ['localhost:5000/a/b__c-d.e:x_Y-1', 'localhost:5000/a/b__c-d.e:x_Y-1'],
    ['[::1]:5000/app', '[::1]:5000/app:latest'],
    [`ghcr.io/a/b@${DIGEST}`, `ghcr.io/a/b@${DIGEST}`],
    [`ghcr.io/a/b:1@${DIGEST}`, `ghcr.io/a/b:1@${DIGEST}`],
  ])('%s is %s', (text, whole) => {
    expect(formatReference(parseReference(text))).toBe(whole);
  });

  test.each([
    '',
    'App',
    'a//b',
    'a/b:',
    'a:b:c/d',
    'a@sha256:12',
    'reg.io/-a',
    `reg.io/${'a'.repeat(256)}`,
    'reg.io:x/a',
    'a b',
    `a:${'t'.repeat(129)}`,
  ])('%j is refused', (text) => {
    expect(() => parseReference(text)).toThrow(/is not an image reference/);
  });

  test('Docker Hub is asked elsewhere than it is named', () => {
    expect(apiHostOf(parseReference('busybox').registry)).toBe('registry-1.docker.io');
  });
});
