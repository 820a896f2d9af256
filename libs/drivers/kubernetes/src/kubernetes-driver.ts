import { parseService } from '#contracts';
import {
  despiteRestarts,
  type CheckDriver,
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
import type { Cluster } from './cluster.js';
import { Clusters } from './clusters.js';
import { KubernetesData } from './data.js';
import { runHookCommand } from './hook-command.js';
import { removeJobs, runJob } from './hook-job.js';
import { changeObject, changeObjectBack, forgetObjects } from './hook-object.js';
import { prepareImage } from './images.js';
import { NO_EDITS, NO_FILES } from './no-data.js';
import { observe } from './observe.js';
import { removeRecord } from './remove.js';
import { replace } from './replace.js';
import { restoreOld } from './restore-old.js';
import { removeServiceRecord, replaceService, restoreService } from './service-change.js';
import { checkService } from './service-check.js';
import { assertServiceUnchanged } from './service-observe.js';
import { stop, stopNew } from './stop.js';

/** Kubernetes clusters, each reached by its own endpoint. */
export class KubernetesDriver implements Driver {
  readonly name = 'kubernetes';
  readonly instances: InstanceDriver;
  readonly files: FileDriver = NO_FILES;
  readonly hooks: HookDriver;
  readonly images: ImageDriver;
  readonly data: KubernetesData;
  readonly checks: CheckDriver;
  private readonly clusters: Clusters;

  /** @param helperImage of the pods that read and write data; default: none, so that only data on folders is */
  constructor(secrets: SecretStore, helperImage?: string) {
    this.clusters = new Clusters(secrets);
    this.data = new KubernetesData(this.clusters, helperImage);
    const on =
      <I, O>(act: (cluster: Cluster, context: StepContext, input: I) => Promise<O>) =>
      (context: StepContext, input: I): Promise<O> =>
        act(this.clusters.of(context.target), context, input);
    const lasting =
      <I, O>(act: (cluster: Cluster, context: StepContext, input: I) => Promise<O>) =>
      (context: StepContext, input: I): Promise<O> => {
        const cluster = this.clusters.of(context.target);
        return despiteRestarts(cluster, context, () => act(cluster, context, input));
      };
    // a service that k0rdent deploys is no workload of its cluster
    const either =
      <I extends { readonly container: string }, O>(
        ofWorkload: (cluster: Cluster, context: StepContext, input: I) => Promise<O>,
        ofService: (cluster: Cluster, context: StepContext, input: I) => Promise<O>,
      ) =>
      (context: StepContext, input: I): Promise<O> =>
        lasting(parseService(input.container) === undefined ? ofWorkload : ofService)(
          context,
          input,
        );
    this.instances = {
      observe: async (query, signal) => observe(this.clusters.of(query.target), query, signal),
      stop: lasting(stop),
      replace: either(replace, replaceService),
      stopNew: lasting(stopNew),
      restoreOld: either(restoreOld, restoreService),
      removeNew: either(removeRecord, removeServiceRecord),
      removeOld: either(removeRecord, removeServiceRecord),
    };
    this.images = {
      prepare: (context, input, lookUp) =>
        lasting((cluster: Cluster, again: StepContext, given: typeof input) =>
          prepareImage(cluster, again, given, lookUp),
        )(context, input),
    };
    this.hooks = {
      ...NO_EDITS,
      // it waits by itself, before the command only
      command: on(runHookCommand),
      job: lasting(runJob),
      removeJobs: lasting(removeJobs),
      object: lasting(changeObject),
      objectBack: lasting(changeObjectBack),
      forgetObjects: lasting(forgetObjects),
    };
    this.checks = {
      assertUnchanged: either(assertUnchanged, assertServiceUnchanged),
      check: either(check, checkService),
    };
  }

  async close(): Promise<void> {
    await this.data.close();
    this.clusters.close();
  }
}
