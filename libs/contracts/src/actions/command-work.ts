import { z } from 'zod';
import { textWithSecrets } from '../secret-references.js';
import { namesNoSecret } from './names-no-secret.js';

/** Seen by whoever may look at processes or inspect a container: a secret has no place there. */
const word = z.string().max(8_000).refine(namesNoSecret, 'must not name a secret: give it by env');
/** So is this. */
export const setting = z
  .string()
  .min(1)
  .refine(namesNoSecret, 'must not name a secret: give it by env');
export const words = z.array(word).min(1).max(200);
export const variables = z
  .record(z.string().regex(/^[A-Za-z_]\w*$/, 'is not a variable’s name'), textWithSecrets)
  .default({});

/**
 * In all texts, `${LIFTLOCK_FROM_VERSION}` and `${LIFTLOCK_TO_VERSION}` stand for the versions of the component's hop. Secrets are put in by
 * the service that performs the hook, right before, and by nobody else.
 */
export const commandWork = z.strictObject({
  type: z.literal('command'),
  /** Run inside the instance's container, without a shell. */
  command: words,
  /** Added to the container's own; values may hold `${LIFTLOCK_SECRET_<NAME>}`. */
  env: variables,
  /** As `docker exec --user` takes it; default: the container's own. */
  user: setting.optional(),
  exitCode: z.number().int().min(0).max(255).default(0),
});
export type CommandWork = z.infer<typeof commandWork>;
