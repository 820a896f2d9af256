import type { Command } from 'commander';
import { storedDocument, type DocumentKind } from '#contracts';
import { LiftlockError } from '#kernel';
import { collectionOf, danglingReferences } from '../documents/dangling.js';
import {
  readDocuments,
  type Fault,
  type PlacedDocument,
  type ReadDocuments,
} from '../documents/read-documents.js';
import { EXIT } from '../exit-codes.js';
import { writeJson, type Output } from '../output.js';
import type { SetExit } from '../run-command.js';
import { apiCommand } from './api-command.js';
import { withSession, type ApiOptions, type Session } from './api-session.js';

interface ApplyOptions extends ApiOptions {
  readonly filename: string[];
}

/** What became of one document. */
interface Applied {
  readonly kind: DocumentKind;
  readonly name: string;
  readonly generation: number;
  readonly outcome: 'created' | 'changed' | 'unchanged';
}

export function applyCommand(output: Output, setExit: SetExit): Command {
  return apiCommand('apply')
    .description('store documents: nothing is stored unless all of them are well formed')
    .requiredOption(
      '-f, --filename <path...>',
      'files, folders, or - for standard input; YAML (several documents) or JSON',
    )
    .action(async (options: ApplyOptions) => {
      const read = await readDocuments(options.filename);
      const refuse = (faults: readonly Fault[]): void => {
        output.writeError(tell(faults));
        setExit(EXIT.usage);
      };
      if (read.faults.length > 0) {
        refuse([...read.faults, ...(await danglingIfKnown(output, options, read))]);
        return;
      }
      await withSession(output, options, async (session) => {
        const { documents, names } = read;
        const dangling = await danglingReferences(session.client, documents, names);
        if (dangling.length > 0) {
          refuse(dangling);
          return;
        }
        const applied: Applied[] = [];
        for (const one of documents) {
          const done = await apply(session, one);
          applied.push(done);
          if (session.format === 'text')
            output.write(
              `${done.kind.toLowerCase()}/${done.name} ${done.outcome} (generation ${done.generation})\n`,
            );
        }
        if (session.format === 'json') writeJson(output, applied);
      });
    });
}

/** Beside other faults: where the server cannot be asked, these are told alone. */
async function danglingIfKnown(
  output: Output,
  options: ApiOptions,
  { documents, names }: ReadDocuments,
): Promise<Fault[]> {
  try {
    return await withSession(output, options, ({ client }) =>
      danglingReferences(client, documents, names),
    );
  } catch (error) {
    if (error instanceof LiftlockError) return [];
    throw error;
  }
}

async function apply({ client }: Session, one: PlacedDocument): Promise<Applied> {
  const { kind, metadata } = one.value;
  const path = `/v1/${collectionOf(kind)}/${metadata.name}`;
  try {
    const before = await client.find(path, storedDocument);
    const after = await client.send('PUT', path, storedDocument, { body: one.value });
    const outcome =
      before === undefined
        ? 'created'
        : before.generation === after.generation
          ? 'unchanged'
          : 'changed';
    return { kind, name: metadata.name, generation: after.generation, outcome };
  } catch (error) {
    if (!(error instanceof LiftlockError)) throw error;
    throw new LiftlockError(error.code, `${one.file}:${one.line}: ${error.message}`, {
      cause: error,
      ...(error.issues === undefined ? {} : { issues: error.issues }),
    });
  }
}

const MAX_FAULTS = 50;

export function tell(faults: readonly Fault[]): string {
  const lines = faults
    .slice(0, MAX_FAULTS)
    .map(
      ({ file, line, message }) => `${file}${line === undefined ? '' : `:${line}`}: ${message}\n`,
    );
  const more = faults.length > MAX_FAULTS ? `and ${faults.length - MAX_FAULTS} more\n` : '';
  return `liftlock: nothing was stored\n${lines.join('')}${more}`;
}
