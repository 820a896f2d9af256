import { serviceEnv, type ServiceEnv } from '#service';

/** Variables that a webhook's `secret: env:…` may name: none but these is ever read for one. */
const SECRET = /^LIFTLOCK_SECRET_[A-Z0-9_]+$/;

export interface Env extends ServiceEnv {
  /** Signing secrets by the name of their variable. */
  readonly secrets: Readonly<Record<string, string>>;
}

export const env = serviceEnv.loose().transform((all): Env => ({
  ...serviceEnv.parse(all),
  secrets: Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) =>
      SECRET.test(name) && typeof value === 'string' ? [[name, value]] : [],
    ),
  ),
}));
