import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { DEFAULT_SITE } from '#contracts';
import { LiftlockError } from '#kernel';
import { adoptContainer } from '../adopt/adopt-container.js';
import { adoptNamespace } from '../adopt/adopt-namespace.js';
import { adoptedText } from '../adopt/adopted-text.js';
import type { AdoptionOptions } from '../adopt/adoption.js';
import { CLUSTER_PREFIX } from '../adopt/cluster-url.js';
import { parseCredentials } from '../adopt/credential-options.js';
import { writeJson, type Output } from '../output.js';
import { apiCommand } from './api-command.js';
import { withSession, type ApiOptions } from './api-session.js';

interface AdoptOptions extends ApiOptions, AdoptionOptions {
  readonly credential: string[];
  readonly workload: string[];
  readonly owned: boolean;
  readonly filename?: string;
}

export function adoptCommand(output: Output): Command {
  return apiCommand('adopt')
    .description(
      'write the documents for what runs, a container or the workloads of a namespace: its environment, application and release, ready to apply and to upgrade',
    )
    .argument(
      '<url>',
      'docker://HOST/CONTAINER; HOST is local, a socket’s path, user@host, an endpoint, or with --environment one of its targets. ' +
        'kubernetes://CONTEXT/NAMESPACE; CONTEXT is of your kubeconfig',
    )
    .option('--environment <name>', 'default: named for the host, or the context')
    .option('--application <name>', 'default: named for the container, or the namespace')
    .option('--site <name>', 'where the host is reached from', DEFAULT_SITE)
    .option(
      '--credential <name=reference...>',
      'what a new target is reached with: key=env:LIFTLOCK_SECRET_…, knownHosts=…, ca=…, kubeconfig=… (references to secrets)',
      [],
    )
    .option(
      '--workload <kind/name...>',
      'of a namespace these alone, with /CONTAINER where a pod has several; default: all that can be upgraded',
      [],
    )
    .option(
      '--owned',
      'of a namespace also what belongs to Helm, Argo CD, Flux or a controller; default: left out, and named',
      false,
    )
    .option('-f, --filename <path>', 'a new file to write; default: standard output')
    .action(async (url: string, options: AdoptOptions) => {
      const credentials = parseCredentials(options.credential);
      await withSession(output, options, async ({ client, format }) => {
        const { documents, environment, notes } = url.startsWith(CLUSTER_PREFIX)
          ? await adoptNamespace(client, url, options, credentials)
          : await adoptContainer(client, url, options, credentials);
        if (format === 'json') {
          const all = [documents.environment, documents.application, documents.release];
          writeJson(
            output,
            all.filter((document) => document !== undefined),
          );
          return;
        }
        const text = adoptedText(documents, environment, url, notes);
        if (options.filename === undefined) output.write(text);
        else {
          write(options.filename, text);
          output.write(
            `${options.filename} is written; next: liftlock apply -f ${options.filename}\n`,
          );
        }
      });
    });
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
