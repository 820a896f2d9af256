import Docker from 'dockerode';
import { startDocker } from './docker.js';

export type ContainerInfo = Docker.ContainerInspectInfo;

/** A client of the run's engine that is not the driver's, to make things and to see what truly happened. */
export async function openEngine(): Promise<{ docker: Docker; endpoint: string }> {
  const { host, socketPath } = await startDocker();
  return { docker: new Docker({ socketPath }), endpoint: host };
}

/** Removes what a test made: containers whose name begins so, and volumes. */
export async function cleanUp(docker: Docker, prefix: string): Promise<void> {
  for (const { Id, Names, Labels } of await docker.listContainers({ all: true })) {
    const own =
      Names.some((name) => name.startsWith(`/${prefix}`)) || Labels['liftlock.test'] === prefix;
    if (own) await docker.getContainer(Id).remove({ force: true, v: true });
  }
  const { Volumes } = await docker.listVolumes();
  for (const { Name } of Volumes) {
    if (Name.startsWith(prefix)) await docker.getVolume(Name).remove();
  }
  for (const { Name, Id } of await docker.listNetworks()) {
    if (Name.startsWith(prefix)) await docker.getNetwork(Id).remove();
  }
}
