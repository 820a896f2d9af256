import 'reflect-metadata';
import type { DynamicModule, INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Logger } from 'nestjs-pino';
import { collectDefaultMetrics } from 'prom-client';
import type { z } from 'zod';
import type { App } from '#contracts';
import { CommandServer, QueryServer } from '#bus';
import { parseEnv, type ServiceEnv } from './service-env.js';
import { ServiceModule } from './service.module.js';

export interface BootstrapOptions {
  readonly app: App;
  /** Before it listens: global pipes, filters, documentation. */
  readonly configure?: (app: NestExpressApplication) => void | Promise<void>;
}

/** Exit code of a service whose environment is wrong: starting it again does not help. */
const USAGE = 2;

/**
 * Starts a service: environment, database, bus, then what listens. It ends on SIGTERM and SIGINT, when what is being handled is done.
 */
export async function bootstrap<T extends z.ZodType<ServiceEnv>>(
  module: (env: z.infer<T>) => DynamicModule | Promise<DynamicModule>,
  schema: T,
  options: BootstrapOptions,
): Promise<INestApplication> {
  let env: z.infer<T>;
  try {
    env = parseEnv(schema, process.env);
  } catch (error) {
    process.stderr.write(
      `${options.app}: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    process.exit(USAGE);
  }
  try {
    return await start(await module(env), env, options);
  } catch (error) {
    process.stderr.write(
      `${options.app} did not start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exit(1);
  }
}

async function start(
  inner: DynamicModule,
  env: ServiceEnv,
  options: BootstrapOptions,
): Promise<INestApplication> {
  collectDefaultMetrics();
  const app = await NestFactory.create<NestExpressApplication>(
    ServiceModule.around(inner, env, options.app),
    {
      bufferLogs: true,
      abortOnError: false,
      forceCloseConnections: true,
      bodyParser: false,
    },
  );
  app.useLogger(app.get(Logger));
  app.disable('x-powered-by');
  await options.configure?.(app);
  // the default list has SIGUSR2, and the default way out is the signal itself, which skips the exit hooks
  app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true });
  app.connectMicroservice({ strategy: app.get(CommandServer) }, { inheritAppConfig: false });
  app.connectMicroservice({ strategy: app.get(QueryServer) }, { inheritAppConfig: false });
  await app.startAllMicroservices();
  await app.listen(env.PORT, env.LIFTLOCK_LISTEN);
  return app;
}
