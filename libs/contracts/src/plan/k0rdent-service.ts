import { z } from 'zod';
import { digestOf } from '#kernel';
import { name } from '../names.js';
import { ownerRule } from './workload.js';

/** k0rdent's objects that hold services: of one cluster, or of all that a selector finds by their labels. */
export const SERVICE_HOLDERS = ['ClusterDeployment', 'MultiClusterService'] as const;
export type ServiceHolder = (typeof SERVICE_HOLDERS)[number];

const HOLDER = /^(ClusterDeployment|MultiClusterService)\/([a-z0-9]([-a-z0-9.]{0,88}[a-z0-9])?)$/;

/** Labels that a ClusterDeployment must have, all of them. */
export const clusterLabels = z
  .record(z.string().min(1), z.string())
  .refine(
    (labels) => Object.keys(labels).length > 0,
    'must have a label: it would be all clusters',
  );

/** What a component is where k0rdent deploys it: an entry of `spec.serviceSpec.services`. Its target is k0rdent's management cluster. */
export const k0rdentService = z.strictObject({
  /**
   * Of the ClusterDeployment; of a MultiClusterService, which belongs to none, k0rdent's own (`kcm-system`). Its templates and chains are there, and so
   * is the record of how it was.
   */
  namespace: name,
  /** `ClusterDeployment/NAME` or `MultiClusterService/NAME`; the name has at most 90 characters: others are named after it. */
  object: z
    .string()
    .regex(HOLDER, 'must be ClusterDeployment/NAME or MultiClusterService/NAME, as kubectl has it'),
  /** Of the service; default: the component's. */
  name: name.optional(),
  /** Of the clusters that it is deployed to: the namespace of its release there; default `default`, as k0rdent has it. */
  releaseNamespace: name.default('default'),
  /**
   * Of a MultiClusterService: labels of the clusters that get a new template first, one group after another, each verified before the next; all others
   * of its selector come last. Left out: all at once.
   */
  waves: z.array(clusterLabels).min(1).max(20).optional(),
  /** What is done where the object belongs to Helm, Argo CD, Flux or a controller: as of a workload. */
  owner: ownerRule,
});
export type K0rdentService = z.infer<typeof k0rdentService>;

/** What steps and observations name a service by. */
export interface ServicePlace {
  readonly namespace: string;
  readonly holder: ServiceHolder;
  /** Of the object that holds it. */
  readonly object: string;
  readonly releaseNamespace: string;
  readonly name: string;
}

/** @param component names a service that has no name of its own */
export function servicePlace(service: K0rdentService, component: string): ServicePlace {
  const { namespace, object, name: of = component, releaseNamespace } = service;
  const [holder, named = ''] = object.split('/');
  return {
    namespace,
    holder: holder === 'MultiClusterService' ? holder : 'ClusterDeployment',
    object: named,
    releaseNamespace,
    name: of,
  };
}

/** `<namespace>/<kind>/<object>/<release namespace>/<service>`. */
export function serviceText(place: ServicePlace): string {
  const { namespace, holder, object, releaseNamespace, name: of } = place;
  return [namespace, holder, object, releaseNamespace, of].join('/');
}

/** `undefined` for what is no service's place. */
export function parseService(text: string): ServicePlace | undefined {
  const [namespace, kind, object, releaseNamespace, of, ...more] = text.split('/');
  const holder = SERVICE_HOLDERS.find((one) => one === kind);
  if (namespace === undefined || holder === undefined || more.length > 0) return undefined;
  if (object === undefined || releaseNamespace === undefined || of === undefined) return undefined;
  return { namespace, holder, object, releaseNamespace, name: of };
}

/** Where the record of how a service was before a hop is kept. No two services have the same: the last two names have no dots. */
export function serviceRecordText(place: ServicePlace, hopNumber: number): string {
  const { namespace, holder, object, releaseNamespace, name: of } = place;
  const names = [object, releaseNamespace, of].join('.');
  return `${namespace}/ConfigMap/liftlock-h${hopNumber}-${holder.toLowerCase()}-${names}`;
}

const TEMPLATE = /^ServiceTemplate\/(.+)$/;

/** From `ServiceTemplate/NAME`, which stands in the place of an image; no image is called so, since their names have no capitals. */
export function templateIn(reference: string): string | undefined {
  return TEMPLATE.exec(reference)?.[1];
}

export function templateReference(template: string): string {
  return `ServiceTemplate/${template}`;
}

/** What a template is known by where an image has its ID: its name says which it is, since k0rdent lets nobody change its spec. */
export function templateId(template: string): string {
  return digestOf(templateReference(template));
}
