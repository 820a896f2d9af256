import type { Observation } from '#contracts';
import type { ObserveQuery } from '#drivers/core';
import { modelImageId, type ModelWorld } from './world.js';

type Nothing = Pick<
  Observation['containers'][number],
  'repoDigests' | 'health' | 'mounts' | 'ports' | 'problems' | 'warnings'
>;

/** The world as a planner sees it. An image that is not there, but has an archive, is known by the archive. */
export function observeWorld(world: ModelWorld, query: ObserveQuery): Observation {
  return {
    target: query.target.name,
    engine: { name: 'model', version: '1' },
    containers: query.containers.map((container) => {
      const found = world.containers[container];
      const nothing: Nothing = {
        repoDigests: [],
        health: 'none',
        mounts: [],
        ports: [],
        problems: [],
        warnings: [],
      };
      if (found === undefined) return { ...nothing, container, found: false, running: false };
      return {
        ...nothing,
        container,
        found: true,
        containerId: found.containerId,
        imageId: found.imageId,
        imageReference: found.imageReference,
        running: found.running,
        state: found.running ? 'running' : 'exited',
        mounts:
          found.volume === undefined
            ? []
            : [{ source: found.volume, destination: '/data', kind: 'volume', writable: true }],
      };
    }),
    images: query.images.map(({ reference, archive }) => {
      const id = modelImageId(reference);
      const present = world.images[id] !== undefined;
      return {
        reference,
        present,
        repoDigests: [],
        ...(present ? { id } : {}),
        ...(archive === undefined ? {} : { archiveId: id }),
        ...(present || archive !== undefined ? {} : { problem: 'it is not on the model target' }),
      };
    }),
  };
}
