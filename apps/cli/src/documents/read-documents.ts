import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { DOCUMENT_KINDS, document, issuesWithin, type LiftlockDocument } from '#contracts';
import { LiftlockError, type Issue } from '#kernel';
import { issuesOf, parseYaml, type SourceDocument } from '#source';

/** A document, and the file and line that it begins on. */
export interface PlacedDocument {
  readonly file: string;
  readonly line: number;
  /** As it was written, without defaults: the API decides what is meant. */
  readonly value: LiftlockDocument;
  /** With its defaults. */
  readonly parsed: LiftlockDocument;
  readonly lineOf: SourceDocument['lineOf'];
}

/** What was found in files. */
export interface ReadDocuments {
  readonly documents: PlacedDocument[];
  /** `<kind> <name>` of all of them, of those with faults, too. */
  readonly names: ReadonlySet<string>;
  readonly faults: Fault[];
}

/** One thing that is wrong in one file. */
export interface Fault {
  readonly file: string;
  readonly line: number | undefined;
  readonly message: string;
}

const NAMES = /\.(ya?ml|json)$/;
/** The API takes no more for one document, and a file of this size is no file of documents. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * All documents of files, folders (their `*.yaml`, `*.yml` and `*.json`, and those of the folders in them) and `-` (standard input), in
 * the order in which they can be applied. All faults of all files are told at once.
 */
export async function readDocuments(paths: readonly string[]): Promise<ReadDocuments> {
  const documents: PlacedDocument[] = [];
  const faults: Fault[] = [];
  const names = new Set<string>();
  for (const path of paths) {
    for (const file of path === '-' ? ['-'] : filesOf(path)) {
      const found = readText(file, file === '-' ? await text(process.stdin) : readFile(file));
      documents.push(...found.documents);
      faults.push(...found.faults);
      for (const name of found.names) names.add(name);
    }
  }
  faults.push(...duplicates(documents));
  if (documents.length === 0 && faults.length === 0)
    throw new LiftlockError('invalid_request', `there is no document in ${paths.join(', ')}`);
  return { documents: documents.toSorted((a, b) => order(a) - order(b)), names, faults };
}

export function readText(file: string, content: string): ReadDocuments {
  let sources: SourceDocument[];
  try {
    sources = parseYaml(content);
  } catch (error) {
    const known = LiftlockError.from(error);
    if (known.code !== 'invalid_request') throw error;
    const issues = known.issues ?? [];
    return {
      documents: [],
      names: new Set(),
      faults:
        issues.length === 0
          ? [{ file, line: undefined, message: known.message }]
          : issues.map(({ line, pointer, message }) => ({
              file,
              line,
              message: said(pointer, message),
            })),
    };
  }
  const documents: PlacedDocument[] = [];
  const faults: Fault[] = [];
  const names = new Set<string>();
  for (const source of sources) {
    names.add(`${String(kindOf(source.value))} ${String(nameOf(source.value))}`);
    const parsed = document.safeParse(source.value);
    if (parsed.success) {
      documents.push({
        file,
        line: source.lineOf('') ?? 1,
        value: source.value as LiftlockDocument,
        parsed: parsed.data,
        lineOf: source.lineOf,
      });
      const within = issuesWithin(parsed.data);
      faults.push(...within.map((issue) => faultAt(file, source, issue)));
    } else faults.push(...faultsOf(file, source, parsed.error));
  }
  return { documents, names, faults };
}

function faultsOf(
  file: string,
  source: SourceDocument,
  error: Parameters<typeof issuesOf>[0],
): Fault[] {
  const kind = kindOf(source.value);
  if (!(DOCUMENT_KINDS as readonly unknown[]).includes(kind))
    return [
      {
        file,
        line: source.lineOf('/kind'),
        message:
          kind === undefined
            ? `/kind: is missing: one of ${DOCUMENT_KINDS.join(', ')}`
            : `/kind: there is no kind ${JSON.stringify(kind)}: one of ${DOCUMENT_KINDS.join(', ')}`,
      },
    ];
  return issuesOf(error, source).map((issue) => faultAt(file, source, issue));
}

export function faultAt(
  file: string,
  { lineOf }: Pick<SourceDocument, 'lineOf'>,
  { pointer, message }: Issue,
): Fault {
  return { file, line: lineOf(pointer), message: said(pointer, message) };
}

function kindOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
}

function nameOf(value: unknown): unknown {
  const metadata =
    typeof value === 'object' && value !== null && 'metadata' in value ? value.metadata : undefined;
  return typeof metadata === 'object' && metadata !== null && 'name' in metadata
    ? metadata.name
    : undefined;
}

function said(pointer: string, message: string): string {
  return pointer === '' ? message : `${pointer}: ${message}`;
}

function duplicates(documents: readonly PlacedDocument[]): Fault[] {
  const first = new Map<string, PlacedDocument>();
  return documents.flatMap((one): Fault[] => {
    const key = `${one.value.kind} ${one.value.metadata.name}`;
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, one);
      return [];
    }
    const message = `${key} is given twice: also in ${other.file}:${other.line}`;
    return [{ file: one.file, line: one.line, message }];
  });
}

/** Environments, applications, releases: each after what it names. */
function order({ value }: PlacedDocument): number {
  return DOCUMENT_KINDS.indexOf(value.kind);
}

function filesOf(path: string): string[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined)
    throw new LiftlockError('invalid_request', `there is no file or folder ${path}`);
  if (!found.isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && NAMES.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

function readFile(file: string): string {
  try {
    const { size } = statSync(file);
    if (size > MAX_BYTES)
      throw new LiftlockError('invalid_request', `${file} has ${size} bytes: that is no document`);
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof LiftlockError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LiftlockError('invalid_request', `${file} cannot be read: ${why}`, { cause });
  }
}
