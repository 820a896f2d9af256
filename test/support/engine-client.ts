import Docker from 'dockerode';
import { waitFor } from '#kernel';
import { startDocker } from './docker.js';

export type ContainerInfo = Docker.ContainerInspectInfo;

/** A client of the run's engine that is not the driver's, to make things and to see what truly happened. */
export async function openEngine(): Promise<{ docker: Docker; endpoint: string }> {
  const { host, socketPath } = await startDocker();
  return { docker: new Docker({ socketPath }), endpoint: host };
}

/** Removes what a test made: containers whose name begins so, volumes and networks. */
export async function cleanUp(docker: Docker, prefix: string): Promise<void> {
  for (const { Id, Names, Labels } of await docker.listContainers({ all: true })) {
    const own =
      Names.some((name) => name.startsWith(`/${prefix}`)) || Labels['liftlock.test'] === prefix;
    if (own) await untilRemoved(() => docker.getContainer(Id).remove({ force: true, v: true }));
  }
  const { Volumes } = await docker.listVolumes();
  for (const { Name } of Volumes) {
    if (Name.startsWith(prefix)) await untilRemoved(() => docker.getVolume(Name).remove());
  }
  for (const { Name, Id } of await docker.listNetworks()) {
    if (Name.startsWith(prefix)) await untilRemoved(() => docker.getNetwork(Id).remove());
  }
}

/** What the engine says of a thing that is in use, or being removed already; of a network with a container on it, 403. */
const BUSY: ReadonlySet<number | undefined> = new Set([403, 409]);

/**
 * Removes a thing of the engine's, or finds it gone. One that is in use is asked for again: the helper that holds it has ended, and
 * the engine takes it away in its own time.
 */
export async function untilRemoved(remove: () => Promise<unknown>): Promise<void> {
  let failure: Error | undefined;
  await waitFor(
    async () => {
      try {
        await remove();
      } catch (error) {
        const status = (error as { statusCode?: number }).statusCode;
        if (BUSY.has(status)) throw error;
        // any other answer is the same the next time
        if (status !== 404) failure = error as Error;
      }
      return true;
    },
    { what: 'it is removed', deadlineMs: 60_000 },
  );
  if (failure !== undefined) throw failure;
}
