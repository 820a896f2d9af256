import { assertNever } from '#kernel';
import type { LaneSubject } from './lane-subject.js';

const KNOWN = ['swarm', 'kubelet', 'nomad', 'helm', 'argocd', 'flux', 'controller'] as const;

/** Who keeps a workload as it has it: the words for it, and where it is changed instead. */
function keeperOf(
  known: 'helm' | 'argocd' | 'flux' | 'controller',
  what: string,
): { readonly name: string; readonly wayOut: string } {
  switch (known) {
    case 'helm':
      return {
        name: `the Helm release ${what}`,
        wayOut: 'upgrade the release (helm upgrade)',
      };
    case 'argocd':
      return {
        name: `the Argo CD application ${what}`,
        wayOut: 'change what it is synced from',
      };
    case 'flux': {
      const [kind = '', ...place] = what.split('/');
      return { name: `the ${kind} ${place.join('/')} of Flux`, wayOut: 'change its source' };
    }
    case 'controller':
      return {
        name: `${what}, whose controller made it`,
        wayOut: 'change that object (a hook of type patch does)',
      };
    default:
      return assertNever(known, 'owner');
  }
}

/** What a person should know of a workload that is taken from its owner. */
export function takenWarning(id: string, owner: string): string {
  const { who, what } = partsOf(owner);
  const keeper =
    who === 'helm' || who === 'argocd' || who === 'flux' || who === 'controller'
      ? keeperOf(who, what)
      : { name: owner, wayOut: 'change it there' };
  return `${id} belongs to ${keeper.name}, and is taken: it is set back as soon as its owner acts, so ${keeper.wayOut}, too`;
}

function partsOf(owner: string): { readonly who: string; readonly what: string } {
  const [who = '', ...rest] = owner.split(':');
  return { who, what: rest.join(':') };
}

/** Why a container is not upgraded that belongs to something which sets it back, and where it is upgraded instead. */
export function refusalOfOwner(owner: string, field: 'workload' | 'service' = 'workload'): string {
  const { who, what } = partsOf(owner);
  const known = KNOWN.find((one) => one === who);
  switch (known) {
    case 'swarm':
      return `belongs to the Docker Swarm service ${what}, and Swarm would start another in its place: upgrade the service (docker service update --image), or run it without Swarm`;
    case 'kubelet':
      return `belongs to the Kubernetes pod ${what}, and the kubelet would start another in its place: change what made the pod (its Deployment, StatefulSet …)`;
    case 'nomad':
      return `belongs to the Nomad job ${what}, and Nomad would start another in its place: change the job and run it (nomad job run)`;
    case 'helm':
    case 'argocd':
    case 'flux':
    case 'controller': {
      const { name, wayOut } = keeperOf(known, what);
      return `belongs to ${name}, which would set it back: ${wayOut}, or, where that is settled with its owner, say \`${field}.owner: taken\``;
    }
    case undefined:
      return `belongs to ${owner}, which would set it back: upgrade it there, or run it without`;
    default:
      return assertNever(known);
  }
}

/**
 * What a person has to do so that Compose and the upgrade agree. Compose finds its containers by their labels, which cannot be
 * changed: the old container, too, is the service's for it, as long as it is kept.
 */
export function composeWarnings({
  instance,
  container,
  image,
}: Pick<LaneSubject, 'instance' | 'container' | 'image'>): string[] {
  const { compose } = container;
  if (compose === undefined) return [];
  const { project, service, files, because } = compose;
  const where = files.length === 0 ? 'its compose file' : files.join(' or ');
  const reference = image.identity.reference;
  const edit =
    container.imageReference === reference
      ? ''
      : `set the image of ${service} to ${reference} in ${where} after the upgrade, and before the next \`docker compose up\`: `;
  const after =
    because === undefined
      ? 'that then finds nothing to change'
      : `that makes ${instance.container} once more, for ${because}`;
  return [
    `${instance.id} is the service ${service} of the Compose project ${project}: ${edit}${after}`,
    `until the upgrade has ended, run no \`docker compose up\`, \`down\` or \`rm\` in the project ${project}: it takes ${instance.keptName} for a container of ${service}, and removes it, and with it the way back`,
  ];
}
