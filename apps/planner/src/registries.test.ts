import { expect, it } from 'vitest';
import { parseEnv } from '#service';
import { env } from './env.js';
import { registriesOf } from './registries.js';

const SERVICE = {
  ...{ DATABASE_URL: 'postgres://a@b/c', PORT: '1' },
  ...{ NATS_URL: 'nats://a', NATS_USER: 'a', NATS_PASSWORD: 'b' },
};
const optionsOf = (variables: Record<string, string>) =>
  registriesOf(parseEnv(env, { ...SERVICE, ...variables }));

it('registries are reached as whatever signs in left it, by proxies of either spelling, as the mirror service does', () => {
  const { proxy } = optionsOf({ https_proxy: 'http://proxy:3128', NO_PROXY: 'local' });
  expect(proxy).toEqual({ HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'local' });
  expect(optionsOf({ REGISTRY_AUTH_FILE: '/run/auth.json' }).credentials).toBeDefined();
  expect(optionsOf({ NO_PROXY: 'local' }).proxy).toBeUndefined();
});

it('only the registries that are named may be insecure', () => {
  expect(optionsOf({}).settings).toEqual({});
  expect(optionsOf({ LIFTLOCK_INSECURE_REGISTRIES: 'a:5000, ,b' }).settings).toEqual({
    ...{ 'a:5000': { insecure: true }, b: { insecure: true } },
  });
});
