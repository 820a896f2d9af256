import { z } from 'zod';
import { LiftlockError } from '#kernel';

const environment = z.object({
  /** Address of the API; default: that of this checkout's fleet. */
  LIFTLOCK_SERVER: z.string().optional(),
  /** Bearer token; default: that of this checkout's fleet. */
  LIFTLOCK_TOKEN: z.string().optional(),
  /** Set to anything: no colours (https://no-color.org). */
  NO_COLOR: z.string().optional(),
});

export interface CliEnv {
  readonly server: string | undefined;
  readonly token: string | undefined;
  readonly colours: boolean;
}

/** The only place where the CLI reads the environment; an empty variable counts as none. */
export function readEnv(variables: NodeJS.ProcessEnv = process.env): CliEnv {
  const parsed = environment.safeParse(variables);
  if (!parsed.success)
    throw new LiftlockError('misconfigured', `environment: ${z.prettifyError(parsed.error)}`);
  const { LIFTLOCK_SERVER, LIFTLOCK_TOKEN, NO_COLOR } = parsed.data;
  return {
    server: LIFTLOCK_SERVER || undefined,
    token: LIFTLOCK_TOKEN || undefined,
    colours: !NO_COLOR,
  };
}
