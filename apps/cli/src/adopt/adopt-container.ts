import type { Credentials, EnvironmentDocument, Observation, ObservationRequest } from '#contracts';
import { LiftlockError } from '#kernel';
import type { ApiClient } from '../api/client.js';
import { adoptedDocuments } from './adopted-documents.js';
import {
  freeName,
  observeOn,
  refuseKnown,
  storedEnvironment,
  type Adopted,
  type AdoptionOptions,
} from './adoption.js';
import { nameOf, parseContainerUrl, type ContainerPlace } from './container-url.js';

/** A container on a Docker host. @throws LiftlockError naming what is in the way */
export async function adoptContainer(
  client: ApiClient,
  url: string,
  options: AdoptionOptions,
  credentials: Credentials | undefined,
): Promise<Adopted> {
  const place = parseContainerUrl(url, options.environment);
  const environment = options.environment ?? place.name;
  const application = options.application ?? nameOf(place.container, 'application');
  await refuseKnown(client, application);
  const stored = await storedEnvironment(client, environment);
  const target = targetOf(place, environment, stored, {
    site: options.site,
    ...(credentials === undefined ? {} : { credentials }),
  });
  const seen = await observeOn(client, target, [place.container]);
  const container = upgradable(seen, place.container);
  const documents = adoptedDocuments({ environment, stored, application, target, container });
  return { environment, documents, notes: container.warnings };
}

/** One that the environment has, by its name or its endpoint, with all that it is reached by; else a new one. */
function targetOf(
  place: ContainerPlace,
  environment: string,
  stored: EnvironmentDocument | undefined,
  reached: Pick<ObservationRequest['target'], 'site' | 'credentials'>,
): ObservationRequest['target'] {
  const targets = stored?.spec.targets ?? [];
  const known = targets.find(
    (target) =>
      target.driver === 'docker' &&
      (place.target === undefined
        ? target.endpoint === place.endpoint && target.site === reached.site
        : target.name === place.target),
  );
  if (known !== undefined) {
    const { maxUpgrades: _, ...target } = known;
    return target;
  }
  if (place.endpoint === undefined && place.target === 'local')
    return targetOf(
      parseContainerUrl(`docker://local/${place.container}`),
      environment,
      stored,
      reached,
    );
  if (place.endpoint === undefined)
    throw new LiftlockError(
      'not_found',
      `the environment ${environment} has no Docker target ${place.name}: it has ${targets.map(({ name }) => name).join(', ') || 'none'}`,
    );
  return {
    name: freeName(place.name, stored),
    driver: 'docker',
    endpoint: place.endpoint,
    ...reached,
  };
}

/** @throws LiftlockError naming what is in the way, before anything is written. */
function upgradable(
  { containers, target }: Observation,
  name: string,
): Observation['containers'][number] {
  const [container] = containers;
  if (container?.found !== true)
    throw new LiftlockError(
      'not_found',
      `there is no container ${name} on ${target}: docker ps -a shows what there is`,
    );
  const problems = [
    ...(container.owner === undefined
      ? []
      : [`it belongs to ${container.owner}, which would set it back: upgrade it there`]),
    ...container.problems,
  ];
  if (problems.length > 0)
    throw new LiftlockError('target_refused', `${name} cannot be upgraded: ${problems.join('; ')}`);
  return container;
}
