import { afterEach, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { parseEnv, withSecretSources } from '../src/service-env.js';

const env = withSecretSources(z.object({ LIFTLOCK_DATA: z.string() }));

afterEach(() => vi.unstubAllEnvs());

it('takes the secrets that documents may name out of the process’s environment, and nothing else', () => {
  vi.stubEnv('LIFTLOCK_DATA', '/data');
  vi.stubEnv('LIFTLOCK_SECRET_REGISTRY', 'open sesame');
  vi.stubEnv('LIFTLOCK_SECRET_lower', 'no');
  expect(parseEnv(env, process.env)).toEqual({
    LIFTLOCK_DATA: '/data',
    secrets: { variables: { LIFTLOCK_SECRET_REGISTRY: 'open sesame' }, folder: '/data/secrets' },
  });
});

it('names each variable that is missing', () => {
  vi.stubEnv('LIFTLOCK_DATA', undefined);
  expect(() => parseEnv(env, process.env)).toThrow('LIFTLOCK_DATA: Invalid input');
});
