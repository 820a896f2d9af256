import {
  despiteRestarts,
  type CheckDriver,
  type DataDriver,
  type Driver,
  type FileDriver,
  type HookDriver,
  type ImageDriver,
  type InstanceDriver,
  type SecretStore,
  type StepContext,
} from '#drivers/core';
import { assertUnchanged } from './assert-unchanged.js';
import { check } from './checks.js';
import { DockerData } from './data.js';
import { Engines, type Engine } from './engine.js';
import { DockerFiles } from './files.js';
import { HookEdits } from './hook-edit.js';
import { runHookCommand } from './hook-command.js';
import { removeJobs, runJob } from './hook-job.js';
import { NO_OBJECTS } from './hook-object.js';
import { HelperImages } from './helper-image.js';
import { prepare } from './images.js';
import { withPlannedId } from './made-by.js';
import { observe } from './observe.js';
import { removeNew, removeOld } from './remove.js';
import { replace } from './replace.js';
import { restoreOld } from './restore-old.js';
import { stop, stopNew } from './stop.js';

/** Docker Engines, each reached by its own endpoint. */
export class DockerDriver implements Driver {
  readonly name = 'docker';
  readonly instances: InstanceDriver;
  readonly files: FileDriver;
  readonly hooks: HookDriver;
  readonly images: ImageDriver;
  readonly data: DataDriver;
  readonly checks: CheckDriver;
  private readonly engines: Engines;

  constructor(secrets: SecretStore) {
    this.engines = new Engines(secrets);
    const on =
      <I extends object, O>(act: (engine: Engine, context: StepContext, input: I) => Promise<O>) =>
      async (context: StepContext, input: I): Promise<O> => {
        const engine = this.engines.of(context.target);
        return act(engine, context, await withPlannedId(engine, context, input));
      };
    const lasting =
      <I extends object, O>(act: (engine: Engine, context: StepContext, input: I) => Promise<O>) =>
      async (context: StepContext, input: I): Promise<O> =>
        despiteRestarts(this.engines.of(context.target), context, () => on(act)(context, input));
    this.instances = {
      observe: async (query, signal) => observe(this.engines.of(query.target), query, signal),
      stop: lasting(stop),
      replace: lasting(replace),
      stopNew: lasting(stopNew),
      restoreOld: lasting(restoreOld),
      removeNew: lasting(removeNew),
      removeOld: lasting(removeOld),
    };
    const helpers = new HelperImages();
    this.images = {
      prepare: (context, input, lookUp) =>
        lasting((engine: Engine, again: StepContext, planned: typeof input) =>
          prepare(engine, again, planned, { helpers, secrets, lookUp }),
        )(context, input),
    };
    const files = new DockerFiles(this.engines, helpers);
    this.files = {
      // each looks before it acts
      prepare: lasting((_engine, context, input) => files.prepare(context, input)),
      write: lasting((_engine, context, input) => files.write(context, input)),
      remove: lasting((_engine, context, input) => files.remove(context, input)),
    };
    const edits = new HookEdits(helpers);
    this.hooks = {
      // it waits by itself, before the command only
      command: on(runHookCommand),
      job: lasting(runJob),
      removeJobs: lasting(removeJobs),
      edit: lasting((engine, context, input) => edits.run(engine, context, input)),
      forgetEdits: lasting((engine, context, input) => edits.forget(engine, context, input)),
      ...NO_OBJECTS,
    };
    this.data = new DockerData(this.engines, helpers);
    this.checks = { assertUnchanged: lasting(assertUnchanged), check: lasting(check) };
  }

  async close(): Promise<void> {
    this.engines.close();
  }
}
