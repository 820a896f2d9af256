import type Docker from 'dockerode';
import type { Credentials, Observation, StepTarget } from '#contracts';
import type { DataSource, Driver } from '#drivers/core';
import { newFolder } from '../../../../test/support/data-tree.js';
import type { SshServer } from '../../../../test/support/ssh-server.js';
import { contextOf } from '../../../../test/support/step-context.js';

export const TLS = {
  ca: 'env:LIFTLOCK_SECRET_CA',
  certificate: 'env:LIFTLOCK_SECRET_CERT',
  key: 'env:LIFTLOCK_SECRET_TLS_KEY',
} as const;
export const SSH = {
  key: 'env:LIFTLOCK_SECRET_SSH_KEY',
  knownHosts: 'env:LIFTLOCK_SECRET_KNOWN_HOSTS',
} as const;

export function sshSecrets(server: SshServer): Record<string, string> {
  return {
    LIFTLOCK_SECRET_SSH_KEY: server.file('user'),
    LIFTLOCK_SECRET_KNOWN_HOSTS: server.knownHosts(),
  };
}

export function targetOf(endpoint: string, credentials?: Credentials): StepTarget {
  const target = { name: 'far', driver: 'docker', site: 'main', endpoint } as const;
  return credentials === undefined ? target : { ...target, credentials };
}

export function contextFor(target: StepTarget): ReturnType<typeof contextOf> {
  return contextOf(target.endpoint, { target });
}

export function observe(
  driver: Driver,
  target: StepTarget,
  containers: readonly string[] = ['none'],
): Promise<Observation> {
  const signal = AbortSignal.timeout(90_000);
  return driver.instances.observe({ target, containers, images: [] }, signal);
}

export interface FarContainer extends DataSource {
  /** Its data. */
  readonly folder: string;
}

/** A container that was started, with a folder of this machine as its data. */
export async function startWithData(
  docker: Docker,
  container: string,
  image: string,
): Promise<FarContainer> {
  const folder = newFolder();
  const made = await docker.createContainer({
    name: container,
    Image: image,
    StopTimeout: 1,
    HostConfig: { Binds: [`${folder}:/data`] },
  });
  await made.start();
  const keptName = `${container}-kept`;
  return { container, containerId: made.id, keptName, paths: ['/data'], folder };
}
