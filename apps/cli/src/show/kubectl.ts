import {
  parseKubernetesEndpoint,
  parseWorkload,
  type StepPlace,
  type WorkloadPlace,
} from '#contracts';
import { quote } from './shell-quote.js';

/** `kubectl` for a cluster; a person's own kubeconfig lets them in. @param namespace left out: for what belongs to none */
export function kubectlAt({ endpoint }: StepPlace, namespace?: string): string {
  const place = parseKubernetesEndpoint(endpoint);
  const where =
    place === undefined
      ? ''
      : place.kind === 'server'
        ? ` -s ${quote(place.url)}`
        : ` --context ${quote(place.context)}`;
  return `kubectl${where}${namespace === undefined ? '' : ` -n ${quote(namespace)}`}`;
}

/** A workload, as steps name it. @throws Error where it is none: no plan has that */
export function workloadOf(container: string): WorkloadPlace {
  const place = parseWorkload(container);
  if (place === undefined) throw new Error(`${container} is no workload`);
  return place;
}

/** As `kubectl` takes it: `deployment/web`. */
export function resourceOf({ kind, name }: WorkloadPlace): string {
  return quote(`${kind.toLowerCase()}/${name}`);
}

/** How an object was is written to a file of this name, without what the API server would refuse to be given back. */
export function keptFile(name: string): string {
  return `"$BACKUPS"/${quote(name.replaceAll(/[^A-Za-z0-9._-]+/g, '-'))}.yaml`;
}

const OF_THE_SERVER = String.raw`/^  \(uid\|resourceVersion\|creationTimestamp\|generation\): /d`;

/** Takes out of an object's YAML what only the API server may set. */
export const WITHOUT_SERVER_FIELDS = `sed ${quote(OF_THE_SERVER)}`;

/** Writes down how an object is. */
export function keepCommand(kubectl: string, resource: string, file: string): string {
  return `${kubectl} get ${resource} -o yaml | ${WITHOUT_SERVER_FIELDS} > ${file}`;
}
