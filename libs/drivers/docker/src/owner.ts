interface Owner {
  readonly who: 'swarm' | 'kubelet' | 'nomad';
  /** All of its labels begin so. */
  readonly prefix: string;
  /** Labels that name what the container is part of, as far as they are there. */
  readonly names: readonly string[];
}

/** Who makes containers again, or removes them, as soon as they are not as it wants them. */
const OWNERS: readonly Owner[] = [
  {
    who: 'swarm',
    prefix: 'com.docker.swarm.',
    names: ['com.docker.swarm.service.name', 'com.docker.swarm.task.name'],
  },
  {
    who: 'kubelet',
    prefix: 'io.kubernetes.',
    names: ['io.kubernetes.pod.namespace', 'io.kubernetes.pod.name'],
  },
  {
    who: 'nomad',
    prefix: 'com.hashicorp.nomad.',
    names: ['com.hashicorp.nomad.job_name', 'com.hashicorp.nomad.alloc_id'],
  },
];

/**
 * Who made the container and would undo or repeat what we do to it: `swarm:<service>`, `kubelet:<namespace>/<pod>`,
 * `nomad:<job>`. Compose is none of them: it does nothing until somebody runs it.
 */
export function ownerOf(labels: Readonly<Record<string, string>> | undefined): string | undefined {
  const known = labels ?? {};
  const owner = OWNERS.find(({ prefix }) =>
    Object.keys(known).some((label) => label.startsWith(prefix)),
  );
  if (owner === undefined) return undefined;
  const named = owner.names.flatMap((label) => known[label] ?? []);
  const parts = owner.who === 'kubelet' ? named : named.slice(0, 1);
  return `${owner.who}:${parts.length === 0 ? 'a container without a name there' : parts.join('/')}`;
}
