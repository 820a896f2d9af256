import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { z } from 'zod';
import {
  DOCUMENT_COLLECTIONS,
  generationPage,
  storedDocument,
  upgradeView,
  type StoredDocument,
} from '#contracts';
import { LiftlockError } from '#kernel';
import { listItems } from '../api/pages.js';
import { upgradePath } from '../api/paths.js';
import { writeJson, type Output } from '../output.js';
import { age, printable, table } from '../show/text.js';
import { statusLines, upgradesTable } from '../show/upgrade-status.js';
import { apiCommand, wholeNumber } from './api-command.js';
import { withSession, type ApiOptions } from './api-session.js';

interface GetOptions extends ApiOptions {
  readonly generation?: number;
  readonly history?: true;
}

const MAX_LISTED = 10_000;

export function getCommand(output: Output): Command {
  return apiCommand('get')
    .description('the documents of a kind, or one of them as YAML; or upgrades')
    .argument(
      '<kind>',
      'environments, applications, releases, upgradechains or servicetemplatechains, or upgrades; the singular will do',
    )
    .argument('[name]')
    .option('--generation <number>', 'as it was then', wholeNumber(1))
    .option('--history', 'its generations, the newest first')
    .action(async (kind: string, name: string | undefined, options: GetOptions) => {
      if (/^upgrades?$/i.test(kind)) {
        await getUpgrades(output, name, options);
        return;
      }
      const collection = collectionNamed(kind);
      if (name === undefined && options.generation !== undefined)
        throw new LiftlockError('invalid_request', '--generation needs the name of a document');
      if (name === undefined && options.history === true)
        throw new LiftlockError('invalid_request', '--history needs the name of a document');
      await withSession(output, options, async ({ client, format }) => {
        if (name === undefined) {
          const items = await listItems(client, `/v1/${collection}`, storedDocument, MAX_LISTED);
          if (format === 'json') writeJson(output, items);
          else output.write(listing(items, new Date()));
          return;
        }
        const path = `/v1/${collection}/${encodeURIComponent(name)}`;
        if (options.history === true) {
          const found = await client.get(`${path}/generations`, generationPage, { limit: 500 });
          if (format === 'json') writeJson(output, found.items);
          else output.write(generations(found.items, new Date()));
          return;
        }
        const stored = await client.get(path, storedDocument, { generation: options.generation });
        if (format === 'json') writeJson(output, stored);
        else output.write(`# generation ${stored.generation}\n${stringify(stored.document)}`);
      });
    });
}

const NEWEST = 20;

async function getUpgrades(
  output: Output,
  id: string | undefined,
  options: GetOptions,
): Promise<void> {
  if (options.generation !== undefined || options.history === true)
    throw new LiftlockError(
      'invalid_request',
      'an upgrade has no generations: liftlock events shows its history',
    );
  await withSession(output, options, async ({ client, format, colours }) => {
    const now = new Date();
    if (id === undefined) {
      const items = await listItems(client, '/v1/upgrades', upgradeView, NEWEST);
      if (format === 'json') writeJson(output, items);
      else output.write(upgradesTable(items, now));
      return;
    }
    const view = await client.get(upgradePath(id), upgradeView);
    if (format === 'json') writeJson(output, view);
    else output.write(`${statusLines(view, colours, now).join('\n')}\n`);
  });
}

type Generation = z.infer<typeof generationPage>['items'][number];

function generations(items: readonly Generation[], now: Date): string {
  return table([
    ['GENERATION', 'AGE', 'BY', 'DIGEST', ''],
    ...items.map((one) => [
      String(one.generation),
      age(one.createdAt, now),
      printable(one.createdBy),
      one.digest.slice(0, 19),
      one.deleted ? 'deleted' : '',
    ]),
  ]);
}

export function collectionNamed(kind: string): string {
  const wanted = kind.toLowerCase();
  const found = Object.keys(DOCUMENT_COLLECTIONS).find(
    (collection) => collection === wanted || collection === `${wanted}s`,
  );
  if (found !== undefined) return found;
  throw new LiftlockError(
    'invalid_request',
    `there is no kind ${JSON.stringify(kind)}: one of ${Object.keys(DOCUMENT_COLLECTIONS).join(', ')}`,
  );
}

function listing(items: readonly StoredDocument[], now: Date): string {
  if (items.length === 0) return 'none\n';
  return table([
    ['NAME', 'GENERATION', 'AGE', ''],
    ...items.map((one) => [
      one.name,
      String(one.generation),
      age(one.createdAt, now),
      remark(one.document),
    ]),
  ]);
}

function remark(document: StoredDocument['document']): string {
  switch (document.kind) {
    case 'Environment':
      return document.spec.targets.map(({ name, driver }) => `${name} (${driver})`).join(', ');
    case 'Application':
      return document.spec.components.map(({ name }) => name).join(', ');
    case 'Release':
      return `${document.spec.application} ${document.spec.version}`;
    case 'UpgradeChain':
      return document.spec.supportedVersions.map(({ version }) => version).join(', ');
    case 'ServiceTemplateChain':
      return (document.spec.supportedTemplates ?? []).map(({ name }) => name).join(', ');
  }
}
