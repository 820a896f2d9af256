import 'reflect-metadata';
import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Bus } from '#bus';
import { HEALTH_CHECKS, HealthController } from '#service';
import { freshDatabase, freshNats } from '../../../../test/support/index.js';
import { makePatient } from '../../../../test/support/service-scene.js';
import type { Role, TokenCreated } from '#contracts';
import { env } from '../../src/env.js';
import { GatewayModule } from '../../src/gateway.module.js';
import { Responders } from './responders.js';

export const BOOTSTRAP = 'bootstrap-token-of-the-tests';

@Module({})
class WithHealth {
  static around(inner: DynamicModule): DynamicModule {
    return {
      module: WithHealth,
      imports: [inner],
      controllers: [HealthController],
      providers: [{ provide: HEALTH_CHECKS, useValue: [] }],
    };
  }
}

export interface RunningGateway {
  readonly url: string;
  readonly databaseUrl: string;
  readonly responders: Responders;
  /** A token of this role. */
  token(role: Role): Promise<string>;
  request(path: string, init?: RequestInit & { readonly token?: string }): Promise<Response>;
  stop(): Promise<void>;
}

/** The gateway on its own database and broker, with the other services as responders. */
export async function startGateway(
  more: Readonly<Record<string, string>> = {},
): Promise<RunningGateway> {
  const database = await freshDatabase();
  const nats = await freshNats();
  const { user, pass } = nats.user('gateway');
  const parsed = env.parse({
    DATABASE_URL: database.url('gateway'),
    NATS_URL: nats.url,
    NATS_USER: user,
    NATS_PASSWORD: pass,
    PORT: '1',
    LIFTLOCK_BOOTSTRAP_TOKEN: BOOTSTRAP,
    ...more,
  });
  const app = await NestFactory.create<NestExpressApplication>(
    WithHealth.around(GatewayModule.forEnv(parsed)),
    {
      logger: ['fatal'],
      abortOnError: false,
      bodyParser: false,
      forceCloseConnections: true,
    },
  );
  GatewayModule.configure(app);
  makePatient(app.get(Bus));
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const responders = new Responders(nats.url, (one) => nats.user(one));
  await responders.start(['coordinator', 'planner', 'mirror', 'backup', 'executor', 'verifier']);
  const tokens = new Map<Role, string>([['admin', BOOTSTRAP]]);
  const request: RunningGateway['request'] = (path, { token = BOOTSTRAP, headers, ...init } = {}) =>
    fetch(`${url}${path}`, {
      ...init,
      headers: {
        // one that is kept may be closed while this process stands still
        connection: 'close',
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        ...(headers as Record<string, string>),
      },
    });
  return {
    url,
    databaseUrl: database.url('gateway'),
    responders,
    request,
    token: async (role) => {
      const known = tokens.get(role);
      if (known !== undefined) return known;
      const answer = await request('/v1/tokens', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: `the-${role}`, role }),
      });
      const { token } = (await answer.json()) as TokenCreated;
      tokens.set(role, token);
      return token;
    },
    stop: async () => {
      await app.close();
      await responders.stopAll();
      await nats.stop();
      await database.drop();
    },
  };
}
