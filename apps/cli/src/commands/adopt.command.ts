import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import {
  DEFAULT_SITE,
  observation,
  storedDocument,
  type EnvironmentDocument,
  type Observation,
  type ObservationRequest,
} from '#contracts';
import { LiftlockError } from '#kernel';
import { adoptedDocuments } from '../adopt/adopted-documents.js';
import { adoptedText } from '../adopt/adopted-text.js';
import { parseCredentials } from '../adopt/credential-options.js';
import { nameOf, parseContainerUrl, type ContainerPlace } from '../adopt/container-url.js';
import type { ApiClient } from '../api/client.js';
import { writeJson, type Output } from '../output.js';
import { apiCommand } from './api-command.js';
import { withSession, type ApiOptions } from './api-session.js';

interface AdoptOptions extends ApiOptions {
  readonly environment?: string;
  readonly application?: string;
  readonly site: string;
  readonly credential: string[];
  readonly filename?: string;
}

export function adoptCommand(output: Output): Command {
  return apiCommand('adopt')
    .description(
      'write the documents for a container that runs: its environment, application and release, ready to apply and to upgrade',
    )
    .argument(
      '<url>',
      'docker://HOST/CONTAINER; HOST is local, a socket’s path, user@host, an endpoint, or with --environment one of its targets',
    )
    .option('--environment <name>', 'default: named for the host')
    .option('--application <name>', 'default: named for the container')
    .option('--site <name>', 'where the host is reached from', DEFAULT_SITE)
    .option(
      '--credential <name=reference...>',
      'what a new SSH or TCP target is reached with: key=env:LIFTLOCK_SECRET_…, knownHosts=…, ca=… (references to secrets)',
      [],
    )
    .option('-f, --filename <path>', 'a new file to write; default: standard output')
    .action(async (url: string, options: AdoptOptions) => {
      const place = parseContainerUrl(url, options.environment);
      const credentials = parseCredentials(options.credential);
      await withSession(output, options, async ({ client, format }) => {
        const environment = options.environment ?? place.name;
        const application = options.application ?? nameOf(place.container, 'application');
        await refuseKnown(client, application);
        const stored = await storedEnvironment(client, environment);
        const target = targetOf(place, environment, stored, {
          site: options.site,
          ...(credentials === undefined ? {} : { credentials }),
        });
        const seen = await client.send(
          'POST',
          '/v1/observations',
          observation,
          { body: { target, containers: [place.container] } },
          true,
        );
        const container = upgradable(seen, place.container);
        const documents = adoptedDocuments({ environment, stored, application, target, container });
        const text =
          format === 'json'
            ? undefined
            : adoptedText(documents, environment, url, container.warnings);
        if (text === undefined) {
          const all = [documents.environment, documents.application, documents.release];
          writeJson(
            output,
            all.filter((document) => document !== undefined),
          );
        } else if (options.filename === undefined) output.write(text);
        else {
          write(options.filename, text);
          output.write(
            `${options.filename} is written; next: liftlock apply -f ${options.filename}\n`,
          );
        }
      });
    });
}

/** Applied once more, the documents would write over what a person has made of them since. */
async function refuseKnown(client: ApiClient, application: string): Promise<void> {
  if ((await client.find(`/v1/applications/${application}`, storedDocument)) !== undefined)
    throw new LiftlockError(
      'conflict',
      `there is an application ${application} already: name another with --application, or see liftlock get application ${application}`,
    );
}

async function storedEnvironment(
  client: ApiClient,
  name: string,
): Promise<EnvironmentDocument | undefined> {
  const found = await client.find(`/v1/environments/${name}`, storedDocument);
  return found?.document.kind === 'Environment' ? found.document : undefined;
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
  const taken = new Set(targets.map(({ name }) => name));
  let name = place.name;
  for (let count = 2; taken.has(name); count += 1) name = `${place.name}-${count}`;
  return { name, driver: 'docker', endpoint: place.endpoint, ...reached };
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

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LiftlockError(
      'invalid_request',
      `${path} cannot be written (${reason}): give the path of a file that is not there yet`,
      { cause: error },
    );
  }
}
