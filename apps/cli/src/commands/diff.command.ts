import type { Command } from 'commander';
import { stringify } from 'yaml';
import { storedDocument, type LiftlockDocument } from '#contracts';
import { collectionOf } from '../documents/dangling.js';
import { lineDiff } from '../documents/line-diff.js';
import { readDocuments, type PlacedDocument } from '../documents/read-documents.js';
import { EXIT } from '../exit-codes.js';
import { writeJson, type Output } from '../output.js';
import type { SetExit } from '../run-command.js';
import { printable } from '../show/text.js';
import { apiCommand } from './api-command.js';
import { withSession, type ApiOptions, type Session } from './api-session.js';
import { tell } from './apply.command.js';

interface DiffOptions extends ApiOptions {
  readonly filename: string[];
}

export function diffCommand(output: Output, setExit: SetExit): Command {
  return apiCommand('diff')
    .description('what apply would change; exit code 1 when there is something')
    .requiredOption('-f, --filename <path...>', 'files, folders, or - for standard input')
    .action(async (options: DiffOptions) => {
      const { documents, faults } = await readDocuments(options.filename);
      if (faults.length > 0) {
        output.writeError(tell(faults));
        setExit(EXIT.usage);
        return;
      }
      await withSession(output, options, async (session) => {
        const differing: Array<{ kind: string; name: string; diff: string }> = [];
        for (const one of documents) {
          const diff = await differenceOf(session, one);
          if (diff === '') continue;
          differing.push({ kind: one.parsed.kind, name: one.parsed.metadata.name, diff });
        }
        if (session.format === 'json') writeJson(output, differing);
        else for (const { diff } of differing) output.write(printable(diff));
        if (differing.length > 0) setExit(EXIT.failed);
      });
    });
}

async function differenceOf({ client }: Session, { parsed }: PlacedDocument): Promise<string> {
  const { kind, metadata } = parsed;
  const path = `/v1/${collectionOf(kind)}/${metadata.name}`;
  const stored = await client.find(path, storedDocument);
  const name = `${kind.toLowerCase()}/${metadata.name}`;
  const from = stored === undefined ? '(not stored)' : `generation ${stored.generation}`;
  const before = stored === undefined ? '' : yamlOf(stored.document);
  return lineDiff(before, yamlOf(parsed), `${name} ${from}`, `${name} as given`);
}

/** Fields in the order of their names: that they were written in another order is no difference. */
const yamlOf = (document: LiftlockDocument): string =>
  stringify(document, { sortMapEntries: true });
