import { assertNever } from '#kernel';
import {
  isObjectWorkType,
  type ApplicationDocument,
  type DriverName,
  type StepTarget,
} from '#contracts';
import { isNamed, worksOf, type PlacedWork } from './hook-works.js';
import type { Instance } from './instances.js';
import { isService } from './services.js';
import type { ComponentSpec } from './planning-documents.js';
import { pointerOf, type Problems } from './problems.js';

interface Unfit {
  /** Within the component. */
  readonly pointer: string;
  readonly message: string;
}

/**
 * What a component asks for that its target's platform cannot do, each with the way out.
 * @param drivers of all of its targets: what is of use on one of them may stand there
 */
export function refuseUnfit(
  component: ComponentSpec,
  target: StepTarget,
  drivers: ReadonlySet<DriverName>,
  place: string,
  problems: Problems,
): void {
  const unfit = [
    ...unfitFields(component, target, drivers),
    ...worksOf(component.hooks).flatMap((one) => [
      ...unfitWork(one, target),
      ...(isService({ component, target }) ? unfitForService(one) : []),
    ]),
  ];
  for (const { pointer, message } of unfit)
    problems.add('unplannable', `${place}${pointer}`, message);
}

/** The same of the hooks of the whole application, each where its instance is. */
export function refuseUnfitHooks(
  { metadata, spec }: ApplicationDocument,
  instances: readonly Instance[],
  problems: Problems,
): void {
  const place = pointerOf('applications', metadata.name, 'spec');
  for (const one of worksOf(spec.hooks)) {
    const { instance: named } = one.work;
    const at = named === undefined ? undefined : instances.find((some) => isNamed(some, named));
    if (at === undefined) continue;
    const unfit = [...unfitWork(one, at.target), ...(isService(at) ? unfitForService(one) : [])];
    for (const { pointer, message } of unfit)
      problems.add('unplannable', `${place}${pointer}`, message);
  }
}

function unfitFields(
  component: ComponentSpec,
  { name, driver }: StepTarget,
  drivers: ReadonlySet<DriverName>,
): Unfit[] {
  const { workload, service, container, strategy, files, data, name: of } = component;
  switch (driver) {
    case 'kubernetes':
      return [
        ...when(workload === undefined && service === undefined, 'workload', () => {
          return `${of} runs on ${name}, which is a Kubernetes cluster: say which workload of it that is (workload: {namespace: …})`;
        }),
        ...when(workload !== undefined && service !== undefined, 'service', () => {
          return `${of} is a workload, and a service that k0rdent deploys, too: take one of them away`;
        }),
        ...(service === undefined ? [] : unfitOfService(component)),
        ...when(container !== undefined && !drivers.has('docker'), 'container', () => {
          return `${of} runs on ${name}, which is a Kubernetes cluster: name the container of its pods as workload.container`;
        }),
        ...when(files.length > 0, 'files', () => {
          return `${of} has files, which cannot be put into pods of ${name}: let a hook set a Secret (type: secret) that its template mounts`;
        }),
        ...when(data?.consistency === 'paused', 'data', () => {
          return `${of} runs on ${name}, which is a Kubernetes cluster: pods cannot be paused; let data.consistency be stopped, or running`;
        }),
        ...when(data?.hooks !== undefined, 'data', () => {
          return `${of} runs on ${name}, which is a Kubernetes cluster: a snapshot there comes with no commands; make them hooks of the component (type: command)`;
        }),
      ];
    case 'docker':
      return [
        ...when(workload !== undefined && !drivers.has('kubernetes'), 'workload', () => {
          return `${of} runs on ${name}, which is a Docker Engine: name its container instead of a workload`;
        }),
        ...when(service !== undefined && !drivers.has('kubernetes'), 'service', () => {
          return `${of} runs on ${name}, which is a Docker Engine: name its container instead of a service`;
        }),
        ...when(data?.folder !== undefined, 'data', () => {
          return `${of} runs on ${name}, which is a Docker Engine: its data is reached by way of its container; leave data.folder out, and name the paths in the container`;
        }),
        ...when(strategy === 'rolling', 'strategy', () => {
          return `${of} runs on ${name}, which is a Docker Engine: a container there has no platform that rolls it out; leave strategy out, or say recreate`;
        }),
      ];
    case 'model':
      return [];
    default:
      return assertNever(driver, 'driver');
  }
}

/** Its pods are in clusters that nothing here is told of. */
const OF_PODS: ReadonlySet<string> = new Set(['running', 'command', 'log', 'job']);

function unfitOfService({ name: of, service, strategy, checks, hooks }: ComponentSpec): Unfit[] {
  return [
    ...when(
      service?.waves !== undefined && service.object.startsWith('ClusterDeployment/'),
      'service',
      () => {
        return `${of} is a service of one cluster: leave waves out, or name a MultiClusterService`;
      },
    ),
    ...when(strategy === 'recreate', 'strategy', () => {
      return `${of} is deployed by k0rdent, which cannot stop it before: leave strategy out`;
    }),
    ...when((hooks?.stopped ?? []).length > 0, 'hooks', () => {
      return `${of} is deployed by k0rdent, which does not stop it: let its hooks be before or after`;
    }),
    ...checks.flatMap(({ type }, index) =>
      OF_PODS.has(type)
        ? [
            {
              pointer: pointerOf('checks', index, 'type'),
              message: `the ${type} check of ${of} is of pods, which k0rdent has in other clusters: let it be health, http or tcp`,
            },
          ]
        : [],
    ),
  ];
}

function unfitForService({ name, work, workPointer }: PlacedWork): Unfit[] {
  if (!OF_PODS.has(work.type)) return [];
  return [
    {
      pointer: `${workPointer}${pointerOf('type')}`,
      message: `the hook ${name} is a ${work.type} beside pods, which k0rdent has in other clusters: let it be an http call, or change an object of this one`,
    },
  ];
}

function when(isSo: boolean, field: string, message: () => string): Unfit[] {
  return isSo ? [{ pointer: pointerOf(field), message: message() }] : [];
}

function unfitWork(
  { name, work, workPointer }: PlacedWork,
  { name: target, driver }: StepTarget,
): Unfit[] {
  const refuse = (field: string | undefined, message: string): Unfit[] => [
    {
      pointer: `${workPointer}${field === undefined ? '' : pointerOf(field)}`,
      message: `the hook ${name} ${message}`,
    },
  ];
  switch (driver) {
    case 'docker':
      return isObjectWorkType(work.type)
        ? refuse(
            'type',
            `is about objects of a Kubernetes cluster (${work.type}), and ${target} is a Docker Engine: let it be a command, a job, an http call or an edit`,
          )
        : [];
    case 'kubernetes':
      return unfitForCluster(work, target, refuse);
    case 'model':
      return [];
    default:
      return assertNever(driver, 'driver');
  }
}

const NUMBERS = /^\d{1,10}(:\d{1,10})?$/;

function unfitForCluster(
  { type, user, network }: PlacedWork['work'],
  target: string,
  refuse: (field: string, message: string) => Unfit[],
): Unfit[] {
  if (type === 'edit')
    return refuse(
      'type',
      `is an edit of a file, which pods of ${target} have from a ConfigMap or a Secret: change that (type: merge, secret or patch)`,
    );
  if (type === 'command' && user !== undefined)
    return refuse(
      'user',
      `names a user, and in a pod of ${target} a command runs as its container's: leave it out, or let it be a job`,
    );
  if (type !== 'job') return [];
  return [
    ...(user === undefined || NUMBERS.test(user)
      ? []
      : refuse(
          'user',
          `runs as ${user}: a pod of ${target} takes numbers only, as 1001 or 1001:1001`,
        )),
    ...(network === undefined || network === 'host'
      ? []
      : refuse(
          'network',
          `names the network ${network}: pods of ${target} have their cluster's; leave it out, or say host`,
        )),
  ];
}
