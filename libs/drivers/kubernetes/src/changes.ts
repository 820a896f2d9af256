import type { StepContext } from '#drivers/core';
import { titleOf, type Cluster } from './cluster.js';
import { isThereAlready, statusOf } from './errors.js';
import { FIELD_MANAGER } from './labels.js';
import type { KubeObject } from './objects.js';
import { apiVersionOf, pathOf, type Resource } from './resources.js';

/** An object that is not there yet, or is to be as it says. */
export interface Manifest {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** What an attempt changes in a cluster: each change asks the guard before. */
export class Changes {
  constructor(
    private readonly cluster: Cluster,
    private readonly context: StepContext,
  ) {}

  /** @returns undefined where there is one of that name already: it is for the caller to say whether it is ours */
  async create<T extends KubeObject>(
    resource: Resource,
    manifest: Manifest,
  ): Promise<T | undefined> {
    const { namespace } = manifest.metadata;
    await this.context.guard();
    try {
      return await this.cluster.json<T>(
        `creating ${titleOf(resource, manifest.metadata)}`,
        {
          method: 'POST',
          path: pathOf(resource, { namespace }),
          query: { fieldManager: FIELD_MANAGER },
          body: { apiVersion: apiVersionOf(resource), kind: resource.kind, ...manifest },
        },
        this.context.signal,
      );
    } catch (error) {
      if (isThereAlready(error)) return undefined;
      throw error;
    }
  }

  /** Exactly as given: refused (`isConflict`) where anything of it was changed since it was read. */
  async replace<T extends KubeObject>(resource: Resource, object: T): Promise<T> {
    const { namespace, name } = object.metadata;
    await this.context.guard();
    return this.cluster.json<T>(
      `changing ${titleOf(resource, object.metadata)}`,
      {
        method: 'PUT',
        path: pathOf(resource, { namespace, name }),
        query: { fieldManager: FIELD_MANAGER },
        body: { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object },
      },
      this.context.signal,
    );
  }

  /** A merge patch (RFC 7386). */
  async merge<T extends KubeObject>(
    resource: Resource,
    at: { readonly namespace?: string | undefined; readonly name: string; readonly sub?: string },
    patch: object,
  ): Promise<T> {
    await this.context.guard();
    return this.cluster.json<T>(
      `changing ${titleOf(resource, at)}`,
      {
        method: 'PATCH',
        path: pathOf(resource, at),
        query: { fieldManager: FIELD_MANAGER },
        body: patch,
        contentType: 'application/merge-patch+json',
      },
      this.context.signal,
    );
  }

  /**
   * @param how `foreground`: it is gone when all that it owns is; `at once`: of a pod, without waiting for its kubelet
   * @returns whether it was there
   */
  async remove(
    resource: Resource,
    { namespace, name, uid }: { namespace?: string | undefined; name: string; uid?: string },
    how: 'foreground' | 'background' | 'at once' = 'background',
  ): Promise<boolean> {
    await this.context.guard();
    try {
      await this.cluster.json(
        `deleting ${titleOf(resource, { namespace, name })}`,
        {
          method: 'DELETE',
          path: pathOf(resource, { namespace, name }),
          body: {
            apiVersion: 'v1',
            kind: 'DeleteOptions',
            propagationPolicy: how === 'foreground' ? 'Foreground' : 'Background',
            ...(how === 'at once' ? { gracePeriodSeconds: 0 } : {}),
            ...(uid === undefined ? {} : { preconditions: { uid } }),
          },
        },
        this.context.signal,
      );
      return true;
    } catch (error) {
      if (statusOf(error) === 404) return false;
      throw error;
    }
  }
}
