import { describe, expect, it } from 'vitest';
import { parseCredentials } from './credential-options.js';

describe('--credential', () => {
  it('gives the references that a target is reached with', () => {
    expect(parseCredentials([])).toBeUndefined();
    expect(
      parseCredentials(['key=env:LIFTLOCK_SECRET_KEY', 'knownHosts=env:LIFTLOCK_SECRET_HOSTS']),
    ).toEqual({ key: 'env:LIFTLOCK_SECRET_KEY', knownHosts: 'env:LIFTLOCK_SECRET_HOSTS' });
  });

  it.each([['key=hunter2'], ['hunter2'], ['pin=env:LIFTLOCK_SECRET_KEY'], ['=hunter2']])(
    '%s is refused with how it is written, and without what was written',
    (option) => {
      expect(() => parseCredentials([option])).toThrow('NAME=env:LIFTLOCK_SECRET_');
      expect(() => parseCredentials([option])).not.toThrow('hunter2');
    },
  );
});
