import {
  observation,
  storedDocument,
  type EnvironmentDocument,
  type Observation,
  type ObservationRequest,
} from '#contracts';
import { LiftlockError } from '#kernel';
import type { ApiClient } from '../api/client.js';
import type { AdoptedDocuments } from './adopted-documents.js';

type Target = ObservationRequest['target'];

/** What a person says of what is adopted, besides where it is. */
export interface AdoptionOptions {
  readonly environment?: string;
  readonly application?: string;
  readonly site: string;
}

/** What is written, and what is said beside. */
export interface Adopted {
  readonly environment: string;
  readonly documents: AdoptedDocuments;
  readonly notes: readonly string[];
}

/** Applied once more, the documents would write over what a person has made of them since. */
export async function refuseKnown(client: ApiClient, application: string): Promise<void> {
  if ((await client.find(`/v1/applications/${application}`, storedDocument)) !== undefined)
    throw new LiftlockError(
      'conflict',
      `there is an application ${application} already: name another with --application, or see liftlock get application ${application}`,
    );
}

export async function storedEnvironment(
  client: ApiClient,
  name: string,
): Promise<EnvironmentDocument | undefined> {
  const found = await client.find(`/v1/environments/${name}`, storedDocument);
  return found?.document.kind === 'Environment' ? found.document : undefined;
}

/** A name that none of the environment's targets has: the wanted one, or that with a number. */
export function freeName(wanted: string, stored: EnvironmentDocument | undefined): string {
  const taken = new Set(stored?.spec.targets.map(({ name }) => name));
  let name = wanted;
  for (let count = 2; taken.has(name); count += 1) name = `${wanted}-${count}`;
  return name;
}

/** As the services see it, with what they reach the target by. */
export async function observeOn(
  client: ApiClient,
  target: Target,
  containers: readonly string[],
): Promise<Observation> {
  const request = { body: { target, containers } };
  return client.send('POST', '/v1/observations', observation, request, true);
}
