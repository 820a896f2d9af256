import {
  API_VERSION,
  parseWorkload,
  type EnvironmentDocument,
  type Observation,
  type ObservationRequest,
  type WorkloadPlace,
} from '#contracts';
import {
  environmentOf,
  releaseSuffix,
  versionOf,
  type AdoptedDocuments,
} from './adopted-documents.js';
import { nameOf } from './container-url.js';

type Observed = Observation['containers'][number];
type Component = AdoptedDocuments['application']['spec']['components'][number];
type Released = NonNullable<AdoptedDocuments['release']['spec']['components']>;

export interface AdoptionOfWorkloads {
  readonly environment: string;
  /** As it is stored already, where it is. */
  readonly stored: EnvironmentDocument | undefined;
  readonly application: string;
  readonly target: ObservationRequest['target'];
  /** Each of them can be upgraded; those that belong to somebody are taken. */
  readonly workloads: readonly Observed[];
}

/** Where its components have not all one version, a release is called so, and each component has its own. */
const MIXED = 'adopted';

/** Documents by which workloads can be upgraded together: only what was seen, and nothing that Liftlock assumes anyway. */
export function adoptedWorkloads(adoption: AdoptionOfWorkloads): AdoptedDocuments {
  const { application, target, workloads } = adoption;
  const versions = new Set(workloads.map(versionOf));
  const [first = MIXED] = versions;
  const version = versions.size === 1 ? first : MIXED;
  const components: Component[] = [];
  const released: Released = {};
  for (const [name, observed] of namedComponents(workloads)) {
    const { owner, container, imageReference = '' } = observed;
    components.push({
      name,
      targets: [target.name],
      workload: workloadOf(name, container, owner !== undefined),
      checks: [{ type: 'health' }],
    });
    const own = versionOf(observed);
    released[name] = {
      image: imageReference,
      ...pinned(observed),
      ...(own === version ? {} : { version: own }),
    };
  }
  return {
    environment: environmentOf(adoption),
    application: {
      apiVersion: API_VERSION,
      kind: 'Application',
      metadata: { name: application },
      spec: { components },
    },
    release: {
      apiVersion: API_VERSION,
      kind: 'Release',
      metadata: { name: `${application}-${releaseSuffix(version)}` },
      spec: { application, version, components: released },
    },
    writtenFolders: [],
  };
}

/** By the workloads' names; where kinds or odd names make two the same, the later one has its kind, or a number, besides. */
function namedComponents(workloads: readonly Observed[]): Map<string, Observed> {
  const named = new Map<string, Observed>();
  for (const observed of workloads) {
    const { name, kind } = placeOf(observed.container);
    const plain = nameOf(name, 'app');
    let free = named.has(plain) ? `${plain}-${kind.toLowerCase()}` : plain;
    for (let count = 2; named.has(free); count += 1) free = `${plain}-${count}`;
    named.set(free, observed);
  }
  return named;
}

function workloadOf(component: string, text: string, taken: boolean): Component['workload'] {
  const { namespace, kind, name, container } = placeOf(text);
  return {
    namespace,
    ...(kind === 'Deployment' ? {} : { kind }),
    ...(name === component ? {} : { name }),
    ...(container === undefined ? {} : { container }),
    ...(taken ? { owner: 'taken' as const } : {}),
  };
}

/** What its pods pulled, where they all have the same: a tag may name another image tomorrow. */
function pinned({ imageReference = '', repoDigests }: Observed): { readonly digest?: string } {
  if (imageReference.includes('@')) return {};
  const digests = new Set(repoDigests.map((one) => one.slice(one.indexOf('@') + 1)));
  const [digest] = digests;
  return digests.size === 1 && digest !== undefined ? { digest } : {};
}

function placeOf(text: string): WorkloadPlace {
  const place = parseWorkload(text);
  if (place === undefined) throw new Error(`${text} is no workload`);
  return place;
}
