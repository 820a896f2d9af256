import {
  withHookSecrets,
  type Driver,
  type DriverRegistry,
  type StepContext,
  type TextSecrets,
} from '#drivers/core';
import type { StepHandlers } from '#steps';
import { callHook } from './hook-http.js';

/** What the executor does: each action is the target's driver's. Secrets are put in here, and go nowhere but into the file or the hook. */
export function executorHandlers(
  drivers: DriverRegistry,
  secrets: TextSecrets,
): StepHandlers<'executor'> {
  const at = async (context: StepContext): Promise<Driver['instances']> =>
    (await drivers.get(context.target.driver)).instances;
  const files = async (context: StepContext): Promise<Driver['files']> =>
    (await drivers.get(context.target.driver)).files;
  const hooks = async (context: StepContext): Promise<Driver['hooks']> =>
    (await drivers.get(context.target.driver)).hooks;
  return {
    'instance.stop': async (context, input) => (await at(context)).stop(context, input),
    'instance.replace': async (context, input) => (await at(context)).replace(context, input),
    'instance.stop-new': async (context, input) => (await at(context)).stopNew(context, input),
    'instance.restore-old': async (context, input) =>
      (await at(context)).restoreOld(context, input),
    'instance.remove-new': async (context, input) => (await at(context)).removeNew(context, input),
    'instance.remove-old': async (context, input) => (await at(context)).removeOld(context, input),
    'file.prepare': async (context, input) => {
      await secrets.resolve(input.files);
      return (await files(context)).prepare(context, input);
    },
    'file.write': async (context, input) => {
      const resolved = await secrets.resolve(input.files);
      return (await files(context)).write(context, { ...input, files: resolved });
    },
    'hook.command': (context, input) =>
      withHookSecrets(secrets, context, input.work, async (inner, work) =>
        (await hooks(inner)).command(inner, { ...input, work }),
      ),
    'hook.http': (context, input) =>
      withHookSecrets(secrets, context, input.work, (inner, work) =>
        callHook(inner, { ...input, work }),
      ),
    'hook.job': (context, input) =>
      withHookSecrets(secrets, context, input.work, async (inner, work) =>
        (await hooks(inner)).job(inner, { ...input, work }),
      ),
    'hook.remove-jobs': async (context, input) => (await hooks(context)).removeJobs(context, input),
    'hook.edit': async (context, input) => (await hooks(context)).edit(context, input),
    'hook.forget-edits': async (context, input) =>
      (await hooks(context)).forgetEdits(context, input),
    'hook.object': (context, input) =>
      withHookSecrets(secrets, context, input.work, async (inner, work) =>
        (await hooks(inner)).object(inner, { ...input, work }),
      ),
    'hook.object-back': async (context, input) => (await hooks(context)).objectBack(context, input),
    'hook.forget-objects': async (context, input) =>
      (await hooks(context)).forgetObjects(context, input),
    'file.remove': async (context, input) => (await files(context)).remove(context, input),
  };
}
