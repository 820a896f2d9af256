import {
  parseWorkload,
  workloadText,
  type Credentials,
  type EnvironmentDocument,
  type Observation,
  type ObservationRequest,
  type WorkloadPlace,
} from '#contracts';
import { LiftlockError } from '#kernel';
import type { ApiClient } from '../api/client.js';
import { adoptedWorkloads } from './adopted-workloads.js';
import {
  freeName,
  observeOn,
  refuseKnown,
  storedEnvironment,
  type Adopted,
  type AdoptionOptions,
} from './adoption.js';
import { parseClusterUrl, type ClusterPlace } from './cluster-url.js';
import { listWorkloads, serverOf } from './cluster-workloads.js';

type Observed = Observation['containers'][number];

/** As many as one question may name. */
const AT_A_TIME = 20;
/** Where the services are given the kubeconfig, unless somebody says otherwise. */
const KUBECONFIG: Credentials = { kubeconfig: 'env:LIFTLOCK_SECRET_KUBECONFIG' };

export interface NamespaceOptions extends AdoptionOptions {
  /** `KIND/NAME`, or `KIND/NAME/CONTAINER`: these alone; empty: all. */
  readonly workload: readonly string[];
  /** Whether what belongs to somebody else is taken, too. */
  readonly owned: boolean;
}

/**
 * The Deployments, StatefulSets and DaemonSets of a namespace. Which there are the person's own kubeconfig tells; how they are is seen by the
 * services, with what the documents refer to: so that what is written is known to be reached.
 *
 * @throws LiftlockError naming all that is in the way
 */
export async function adoptNamespace(
  client: ApiClient,
  url: string,
  options: NamespaceOptions,
  credentials: Credentials | undefined,
): Promise<Adopted> {
  const place = parseClusterUrl(url);
  const environment = options.environment ?? place.name;
  const application = options.application ?? place.namespace;
  await refuseKnown(client, application);
  const stored = await storedEnvironment(client, environment);
  const wanted = wantedWorkloads(place, options.workload);
  const listed = wanted.length > 0 ? wanted : await listWorkloads(place);
  if (listed.length === 0)
    throw new LiftlockError(
      'not_found',
      `there is no Deployment, StatefulSet or DaemonSet in the namespace ${place.namespace} of ${place.context}`,
    );
  const target = await targetOf(place, stored, options.site, credentials);
  const seen = await observeAll(client, target, listed.map(workloadText));
  const mine = seen.filter(({ owner }) => owner === undefined || options.owned);
  refuseWhatCannot(mine, place);
  const left = seen.filter((one) => !mine.includes(one));
  const notes = left.map(
    ({ container, owner }) =>
      `${container} belongs to ${owner}, and is left out: --owned takes it.`,
  );
  if (mine.length === 0)
    throw new LiftlockError('target_refused', `nothing is left to adopt: ${notes.join(' ')}`);
  const documents = adoptedWorkloads({
    ...{ environment, stored, application, target },
    workloads: mine,
  });
  return {
    environment,
    documents,
    notes: [...notes, ...mine.flatMap(notesOn), ...referenceNotes(target)],
  };
}

function wantedWorkloads(
  { namespace }: ClusterPlace,
  texts: readonly string[],
): readonly WorkloadPlace[] {
  return texts.map((text) => {
    const place = parseWorkload(`${namespace}/${text}`);
    if (place !== undefined && place.name !== '') return place;
    throw new LiftlockError(
      'invalid_request',
      `--workload ${text} is not KIND/NAME or KIND/NAME/CONTAINER, with KIND one of Deployment, StatefulSet and DaemonSet`,
    );
  });
}

/** One that the environment has for the same cluster, with all that it is reached by; else a new one. */
async function targetOf(
  { context, name }: ClusterPlace,
  stored: EnvironmentDocument | undefined,
  site: string,
  credentials = KUBECONFIG,
): Promise<ObservationRequest['target']> {
  // whoever gives certificates or a token means the server itself
  const endpoint =
    credentials.kubeconfig === undefined ? await serverOf(context) : `kubeconfig://${context}`;
  const known = stored?.spec.targets.find(
    (target) => target.driver === 'kubernetes' && target.endpoint === endpoint,
  );
  if (known === undefined)
    return { name: freeName(name, stored), driver: 'kubernetes', site, endpoint, credentials };
  const { maxUpgrades: _, ...target } = known;
  return target;
}

async function observeAll(
  client: ApiClient,
  target: ObservationRequest['target'],
  containers: readonly string[],
): Promise<Observed[]> {
  const seen: Observed[] = [];
  for (let from = 0; from < containers.length; from += AT_A_TIME) {
    const some = containers.slice(from, from + AT_A_TIME);
    seen.push(...(await observeOn(client, target, some)).containers);
  }
  return seen;
}

/** @throws LiftlockError naming each of them, before anything is written */
function refuseWhatCannot(seen: readonly Observed[], { context }: ClusterPlace): void {
  const wrong = seen.flatMap(({ container, found, problems }) => {
    const why = found ? problems : [`it is not on ${context}`];
    return why.length === 0 ? [] : [`${container} cannot be upgraded: ${why.join('; ')}`];
  });
  if (wrong.length === 0) return;
  throw new LiftlockError(
    'target_refused',
    `${wrong.join('. ')}. Put that right, or name with --workload KIND/NAME[/CONTAINER] what is to be adopted`,
  );
}

/** What a person must say, or know, of a workload. */
function notesOn({ container, owner, mounts, warnings }: Observed): string[] {
  const written = mounts.filter(({ writable }) => writable).map(({ destination }) => destination);
  return [
    ...(owner === undefined
      ? []
      : [`${container} belongs to ${owner}, which may set it back: settle that with its owner.`]),
    ...(written.length === 0
      ? []
      : [
          `${container} also writes to ${written.join(', ')}: nothing is written here of that data.`,
        ]),
    ...warnings,
  ];
}

function referenceNotes({ credentials = {} }: ObservationRequest['target']): string[] {
  const references = Object.values(credentials).join(', ');
  return [`It is reached with ${references}: executor, mirror and verifier each need that.`];
}
