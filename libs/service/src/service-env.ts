import { join } from 'node:path';
import { z } from 'zod';
import { DEFAULT_SITE, DRIVER_NAMES, name } from '#contracts';

/** What every service reads from its environment. */
export const serviceEnv = z.object({
  /** `postgres://liftlock_<app>:…`: the role that owns the service's schema. */
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  NATS_URL: z.url({ protocol: /^nats$/ }),
  NATS_USER: z.string().min(1),
  NATS_PASSWORD: z.string().min(1),
  /** HTTP port on LIFTLOCK_LISTEN: the API of the gateway, health and metrics of the others. */
  PORT: z.coerce.number().int().min(1).max(65_535),
  /** Address to listen on; default loopback. */
  LIFTLOCK_LISTEN: z.string().default('127.0.0.1'),
  /** Site that this process serves. */
  LIFTLOCK_SITE: name.default(DEFAULT_SITE),
  LIFTLOCK_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
});
export type ServiceEnv = z.infer<typeof serviceEnv>;

/** What the step services read besides. */
export const stepServiceEnv = serviceEnv.extend({
  /** Folder of the service's own files. */
  LIFTLOCK_DATA: z.string().min(1),
  /** Drivers to load, with commas between: none of their code before it is needed. */
  LIFTLOCK_DRIVERS: z
    .string()
    .default('docker,kubernetes')
    .transform((text) => text.split(',').map((word) => word.trim()))
    .pipe(z.array(z.enum(DRIVER_NAMES)).min(1)),
  /** Milliseconds that a claim holds without a heartbeat; a heartbeat is a third of it. */
  LIFTLOCK_LEASE_MS: z.coerce.number().int().min(500).max(600_000).default(15_000),
  /** Milliseconds between two looks for what has no owner or no job. */
  LIFTLOCK_SWEEP_MS: z.coerce.number().int().min(100).max(600_000).default(5_000),
  /** Steps that one process runs at the same time. */
  LIFTLOCK_CONCURRENCY: z.coerce.number().int().min(1).max(1_000).default(16),
});
export type StepServiceEnv = z.infer<typeof stepServiceEnv>;

/** Variables that may be there, each as it is. */
export function optionalVariables<const N extends string>(
  names: readonly N[],
): Record<N, z.ZodOptional<z.ZodString>> {
  const shape = names.map((name) => [name, z.string().optional()]);
  return Object.fromEntries(shape) as Record<N, z.ZodOptional<z.ZodString>>;
}

/** Variables that documents may name as secrets: none but these is ever read for one. */
const SECRET = /^LIFTLOCK_SECRET_[A-Z0-9_]+$/;

/** Where a step service finds the secrets that documents name. */
interface SecretSources {
  /** By the name of their variable. */
  readonly variables: Readonly<Record<string, string>>;
  /** Folder with a file for each secret, named as the variable would be. */
  readonly folder: string;
}

const secretsAmong = z.looseObject({}).transform((all): { readonly secrets: SecretSources } => {
  const variables = Object.entries(all).filter(
    (entry): entry is [string, string] => SECRET.test(entry[0]) && typeof entry[1] === 'string',
  );
  // a service without that folder does not start anyway
  const data = typeof all['LIFTLOCK_DATA'] === 'string' ? all['LIFTLOCK_DATA'] : '';
  return { secrets: { variables: Object.fromEntries(variables), folder: join(data, 'secrets') } };
});

/** The schema, and as `secrets` where it finds what documents name. */
export function withSecretSources<S extends z.ZodType>(
  schema: S,
): z.ZodIntersection<S, typeof secretsAmong> {
  return z.intersection(schema, secretsAmong);
}

/** @throws Error with a line for each variable that is missing or wrong. */
export function parseEnv<T extends z.ZodType>(
  schema: T,
  from: Readonly<Record<string, string | undefined>>,
): z.infer<T> {
  const parsed = schema.safeParse(from);
  if (parsed.success) return parsed.data;
  const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`);
  throw new Error(`the environment is not complete:\n${lines.join('\n')}`);
}
