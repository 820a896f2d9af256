import type {
  CheckDriver,
  DataDriver,
  Driver,
  FileDriver,
  HookDriver,
  ImageDriver,
  InstanceDriver,
  StepContext,
} from '#drivers/core';
import { systemClock, type Clock } from '#kernel';
import { EffectWriter } from './effects.js';
import { ModelChecks } from './model-checks.js';
import { ModelData } from './model-data.js';
import { ModelFiles } from './model-files.js';
import { ModelHooks } from './model-hooks.js';
import { ModelImages } from './model-images.js';
import { ModelInstances } from './model-instances.js';
import { ModelObjects } from './model-objects.js';
import { WorldStore } from './world-store.js';

/** A target for tests: a folder whose files say what truly happened, whatever the services believe. */
export async function modelDriver(clock: Clock = systemClock): Promise<Driver> {
  // the target's endpoint is the folder: nothing is kept open between two actions
  const at = (endpoint: string): EffectWriter => new EffectWriter(new WorldStore(endpoint), clock);
  const of = ({ target }: StepContext): EffectWriter => at(target.endpoint);
  const instances: InstanceDriver = {
    observe: (query, signal) =>
      new ModelInstances(at(query.target.endpoint)).observe(query, signal),
    stop: (context, input) => new ModelInstances(of(context)).stop(context, input),
    replace: (context, input) => new ModelInstances(of(context)).replace(context, input),
    stopNew: (context, input) => new ModelInstances(of(context)).stopNew(context, input),
    restoreOld: (context, input) => new ModelInstances(of(context)).restoreOld(context, input),
    removeNew: (context, input) => new ModelInstances(of(context)).removeNew(context, input),
    removeOld: (context, input) => new ModelInstances(of(context)).removeOld(context, input),
  };
  const files: FileDriver = {
    prepare: (context, input) => new ModelFiles(of(context)).prepare(context, input),
    write: (context, input) => new ModelFiles(of(context)).write(context, input),
    remove: (context, input) => new ModelFiles(of(context)).remove(context, input),
  };
  const hooks: HookDriver = {
    command: (context, input) => new ModelHooks(of(context)).run(context, 'hook.command', input),
    job: (context, input) => new ModelHooks(of(context)).run(context, 'hook.job', input),
    removeJobs: (context, input) => new ModelHooks(of(context)).removeJobs(context, input),
    edit: (context, input) => new ModelHooks(of(context)).run(context, 'hook.edit', input),
    forgetEdits: (context, input) => new ModelHooks(of(context)).forgetEdits(context, input),
    object: (context, input) => new ModelObjects(of(context)).object(context, input),
    objectBack: (context, input) => new ModelObjects(of(context)).objectBack(context, input),
    forgetObjects: (context, input) => new ModelObjects(of(context)).forgetObjects(context, input),
  };
  const images: ImageDriver = {
    prepare: (context, input) => new ModelImages(of(context)).prepare(context, input),
  };
  const data: DataDriver = {
    usedBy: (context, source) => new ModelData(of(context)).usedBy(context, source),
    isAsLeft: (context, source) => new ModelData(of(context)).isAsLeft(context, source),
    list: (context, source) => new ModelData(of(context)).list(context, source),
    space: (context, source) => new ModelData(of(context)).space(context, source),
    origin: (context, source) => new ModelData(of(context)).origin(context, source),
    read: (context, source) => new ModelData(of(context)).read(context, source),
    write: (context, source, archive) => new ModelData(of(context)).write(context, source, archive),
    settle: (context, source) => new ModelData(of(context)).settle(context, source),
    archiver: (context) => new ModelData(of(context)).archiver(),
  };
  const checks: CheckDriver = {
    assertUnchanged: (context, input) =>
      new ModelChecks(of(context)).assertUnchanged(context, input),
    check: (context, input) => new ModelChecks(of(context)).check(context, input),
  };
  return {
    name: 'model',
    instances,
    files,
    hooks,
    images,
    data,
    checks,
    close: () => Promise.resolve(),
  };
}
