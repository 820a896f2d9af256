import { join } from 'node:path';
import { DEFAULT_SITE, type App } from '#contracts';
import { serviceDatabaseUrl } from './provision-database.js';
import type { FleetState } from './fleet-state.js';

export interface ServerUrls {
  /** The superuser's URL. */
  readonly postgres: string;
  readonly nats: string;
  readonly redis: string;
}

/** Environment of one service of an embedded fleet, but for its PORT. */
export function serviceEnv(
  app: App,
  urls: ServerUrls,
  state: Pick<FleetState, 'passwords' | 'token'>,
  folder: string,
): Record<string, string> {
  return {
    NODE_ENV: 'production',
    DATABASE_URL: serviceDatabaseUrl(urls.postgres, app, state.passwords.database[app]),
    NATS_URL: urls.nats,
    NATS_USER: app,
    NATS_PASSWORD: state.passwords.nats[app],
    LIFTLOCK_SITE: DEFAULT_SITE,
    LIFTLOCK_DATA: join(folder, 'data', app),
    ...(app === 'executor' ? { REDIS_URL: urls.redis } : {}),
    ...(app === 'gateway' ? { LIFTLOCK_BOOTSTRAP_TOKEN: state.token } : {}),
  };
}
