import type Docker from 'dockerode';
import type { Observation } from '#contracts';
import type { ObserveQuery } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { archivedId, readArchive } from './archive.js';
import { autoRemoveProblem } from './auto-remove.js';
import { composeStateOf, type ComposeState } from './compose-labels.js';
import { isLive, type ContainerInfo, type Engine } from './engine.js';
import { LABELS } from './labels.js';
import { ownerOf } from './owner.js';

type ObservedContainer = Observation['containers'][number];
type ObservedImage = Observation['images'][number];
type Health = ObservedContainer['health'];
interface PortBinding {
  readonly HostIp?: string;
  readonly HostPort?: string;
}

export async function observe(
  engine: Engine,
  query: ObserveQuery,
  signal: AbortSignal,
): Promise<Observation> {
  const version = await engine.call('asking the engine for its version', signal, (docker) =>
    docker.version(),
  );
  const look = new Look(engine, signal);
  return {
    target: query.target.name,
    engine: { name: 'docker', version: version.Version },
    containers: await Promise.all(
      query.containers.map((container) => observeContainer(look, container)),
    ),
    images: await Promise.all(query.images.map((image) => observeImage(look, image))),
  };
}

/** One look at an engine: what many containers have in common is asked for once. */
class Look {
  private readonly images = new Map<string, ReturnType<Engine['inspectImage']>>();
  private containers: Promise<Docker.ContainerInfo[]> | undefined;

  constructor(
    readonly engine: Engine,
    readonly signal: AbortSignal,
  ) {}

  image(reference: string): ReturnType<Engine['inspectImage']> {
    const image = this.images.get(reference) ?? this.engine.inspectImage(reference, this.signal);
    this.images.set(reference, image);
    return image;
  }

  allContainers(): Promise<Docker.ContainerInfo[]> {
    this.containers ??= this.engine.call(
      'looking for who shares the network of a container',
      this.signal,
      (docker, options) => docker.listContainers({ all: true, ...options }),
    );
    return this.containers;
  }
}

async function observeContainer(look: Look, container: string): Promise<ObservedContainer> {
  const { engine, signal } = look;
  const found = await engine.inspect(container, signal);
  if (found === undefined) {
    return {
      container,
      found: false,
      repoDigests: [],
      running: false,
      health: 'none',
      mounts: [],
      ports: [],
      problems: [],
      warnings: [],
    };
  }
  const compose = await composeStateOf(engine, found, signal);
  const image = await look.image(found.Image);
  return {
    container,
    found: true,
    containerId: found.Id,
    imageId: found.Image,
    // what we make is made from an ID: the reference that a person wrote is in its label
    imageReference: found.Config.Labels?.[LABELS.image] ?? found.Config.Image,
    repoDigests: image?.RepoDigests ?? [],
    running: isLive(found),
    state: found.State.Status,
    health: healthOf(found),
    owner: ownerOf(found.Config.Labels),
    mounts: found.Mounts.map(asMount),
    ports: portsOf(found),
    ...(compose === undefined ? {} : { compose: asCompose(compose) }),
    problems: problemsOf(found, image !== undefined),
    warnings: await warningsOf(look, found),
  };
}

function asCompose({ service, because }: ComposeState): ObservedContainer['compose'] {
  const { project, service: name, files } = service;
  return {
    project,
    service: name,
    files: [...files],
    ...(because === undefined ? {} : { because }),
  };
}

/** Who shares its network cannot be seen by looking at it: they name it, not it them. */
async function warningsOf(look: Look, container: ContainerInfo): Promise<string[]> {
  const all = await look.allContainers();
  const joined = all
    .filter(({ HostConfig }) => HostConfig.NetworkMode === `container:${container.Id}`)
    .map(({ Names, Id }) => Names[0]?.replace(/^\//, '') ?? Id.slice(0, 12));
  return joined.length === 0
    ? []
    : [
        `its network is shared by ${joined.toSorted().join(', ')}, which will be without one until replaced after it, too`,
      ];
}

function asMount(mount: ContainerInfo['Mounts'][number]): ObservedContainer['mounts'][number] {
  const { Type, Destination, RW } = mount;
  const kind = Type === 'volume' || Type === 'bind' ? Type : 'other';
  const source = kind === 'volume' ? (mount.Name ?? mount.Source) : (mount.Source ?? '');
  return { source, destination: Destination, kind, writable: RW };
}

/** What was asked for, and not what a start made of it: a port that the engine chose is another after the next one. */
function portsOf({ HostConfig }: ContainerInfo): ObservedContainer['ports'] {
  const bindings = Object.entries(
    (HostConfig.PortBindings ?? {}) as Record<string, readonly PortBinding[] | null>,
  );
  return bindings.flatMap(([published, hosts]) => {
    const [port = '', protocol = 'tcp'] = published.split('/');
    return (hosts ?? [])
      .filter(({ HostPort }) => /^[1-9]\d*$/.test(HostPort ?? ''))
      .map(({ HostIp = '', HostPort }) => ({
        port: Number(port),
        protocol,
        ...(['', '0.0.0.0', '::'].includes(HostIp) ? {} : { hostIp: HostIp }),
        hostPort: Number(HostPort),
      }));
  });
}

export function healthOf(container: ContainerInfo): Health {
  const status = container.State.Health?.Status;
  return status === 'starting' || status === 'healthy' || status === 'unhealthy' ? status : 'none';
}

/** Why it cannot be upgraded as it is. */
function problemsOf(container: ContainerInfo, imageThere: boolean): string[] {
  const problems: string[] = [];
  const autoRemove = autoRemoveProblem(container);
  if (autoRemove !== undefined) problems.push(autoRemove);
  if (!imageThere) {
    problems.push(
      'the image that it was made from is gone: nobody can tell which of its settings came from it; load it again',
    );
  }
  if (container.State.Dead) problems.push('the engine failed to remove it (state dead): remove it');
  return problems;
}

async function observeImage(
  look: Look,
  image: ObserveQuery['images'][number],
): Promise<ObservedImage> {
  const found = await look.image(image.reference);
  const observed: ObservedImage = {
    reference: image.reference,
    present: found !== undefined,
    ...(found === undefined ? {} : { id: found.Id }),
    repoDigests: found?.RepoDigests ?? [],
  };
  if (image.archive === undefined) return observed;
  try {
    return {
      ...observed,
      archiveId: archivedId(await readArchive(image.archive, look.signal), image.reference),
    };
  } catch (error) {
    look.signal.throwIfAborted();
    return { ...observed, problem: LiftlockError.from(error).message };
  }
}
