import { describe, expect, it } from 'vitest';
import { check, ephemeralFile, ephemeralFiles, secretsIn, withSecrets } from '#contracts';

const file = (more: object = {}) => ephemeralFile.safeParse({ path: '/a/b', content: '', ...more });

describe('a file in a document', () => {
  it('is its owner’s alone unless said otherwise', () => {
    expect(file().data).toEqual({ path: '/a/b', mode: '0600', uid: 0, gid: 0, content: '' });
  });

  it.each([
    ['a relative path', { path: 'a/b' }],
    ['a path that goes up', { path: '/a/../b' }],
    ['a folder', { path: '/a/' }],
    ['the root', { path: '/' }],
    ['a line end in its path', { path: '/a\nb' }],
    ['a mode that is a number', { mode: 600 }],
    ['a mode with setuid', { mode: '4755' }],
    ['a mode that is not octal', { mode: '0680' }],
    ['an owner by name', { uid: 'root' }],
    ['an owner below 0', { uid: -1 }],
    ['a reference in small letters', { content: 'x=${LIFTLOCK_SECRET_admin}' }],
    ['a reference with a space', { content: 'x=${ LIFTLOCK_SECRET_ADMIN}' }],
    ['a reference with a default', { content: 'x=${LIFTLOCK_SECRET_ADMIN:-none}' }],
    ['an unknown field', { owner: 'root' }],
  ])('with %s is refused', (_name, more) => {
    expect(file(more).success).toBe(false);
  });

  it('may hold what a shell would read, and references', () => {
    expect(file({ content: '$HOME ${PATH} $(id) ${LIFTLOCK_SECRET_A_1}' }).success).toBe(true);
  });

  it('is refused twice at one path, and with too much in it', () => {
    const one = { path: '/a', content: 'x'.repeat(20_000) };
    expect(ephemeralFiles.safeParse([one, { ...one, path: '/b' }]).success).toBe(false);
    expect(ephemeralFiles.safeParse([{ ...one, content: '' }, one]).success).toBe(false);
    expect(ephemeralFiles.safeParse([one]).success).toBe(true);
  });
});

it('references are found once each, and replaced everywhere', () => {
  const text = '${LIFTLOCK_SECRET_B} ${LIFTLOCK_SECRET_A} ${LIFTLOCK_SECRET_B} ${OTHER}';
  expect(secretsIn(text)).toEqual(['LIFTLOCK_SECRET_B', 'LIFTLOCK_SECRET_A']);
  expect(withSecrets(text, (name) => name.slice(-1))).toBe('B A B ${OTHER}');
});

it('a command check may say what failing looks like', () => {
  const parsed = check.parse({
    type: 'command',
    command: ['journalctl'],
    failPatterns: ['^ERROR'],
  });
  expect(parsed).toMatchObject({ failPatterns: ['^ERROR'] });
});
