import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { digestOf, LiftlockError } from '#kernel';
import type { KubeObject } from './objects.js';

const run = promisify(execFile);
/** Most that is built, in bytes. */
const MOST_BYTES = 16 * 1024 * 1024;
const BUILD_MS = 60_000;

export interface BuiltManifests {
  /** Of all objects, in their order. */
  readonly digest: string;
  readonly objects: readonly KubeObject[];
}

/** What is applied, and where what says nothing of it goes. */
export interface ManifestPlace {
  /** Of a file, of a folder with a kustomization, or of one with a Helm chart. */
  readonly path: string;
  readonly namespace: string;
}

/**
 * The objects of a file, or of a folder that its own program builds, on this machine: so that it means here what it means there. No cluster is
 * asked.
 * @throws LiftlockError `misconfigured` for what cannot be read or built
 */
export async function buildManifests(
  { path, namespace }: ManifestPlace,
  signal: AbortSignal,
): Promise<BuiltManifests> {
  const text = (await isFolder(path))
    ? await build(await builderOf(path, namespace), path, signal)
    : await readFile(path, 'utf8');
  const objects = parseAllDocuments(text, { merge: false }).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw unusable(path, error.message);
    return flat(path, document.toJS({ maxAliasCount: 1000 }));
  });
  if (objects.length === 0) throw unusable(path, 'it holds no object');
  return { digest: digestOf(objects), objects };
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw unusable(path, `it cannot be read: ${(error as Error).message}`, error);
  }
}

/** A program's name, and what it is told. */
type Builder = readonly [program: string, ...words: string[]];

async function builderOf(path: string, namespace: string): Promise<Builder> {
  if (!(await readdir(path)).includes('Chart.yaml')) return ['kubectl', 'kustomize', path];
  // hooks are for Helm to run, at moments that an apply has not
  const options = ['--namespace', namespace, '--include-crds', '--no-hooks'];
  return ['helm', 'template', basename(path), path, ...options];
}

async function build(
  [program, ...words]: Builder,
  path: string,
  signal: AbortSignal,
): Promise<string> {
  try {
    const options = { signal, timeout: BUILD_MS, maxBuffer: MOST_BYTES };
    return (await run(program, words, options)).stdout;
  } catch (error) {
    signal.throwIfAborted();
    const {
      code,
      stderr = '',
      message,
    } = error as { code?: unknown; stderr?: string; message: string };
    if (code === 'ENOENT')
      throw unusable(
        path,
        `${program === 'helm' ? 'charts' : 'folders'} are built by ${program}, which is not there: install it where this service runs, in its PATH`,
        error,
      );
    throw unusable(path, `${program} ${words[0]} says: ${stderr.trim() || message}`, error);
  }
}

/** A list stands for what is in it. */
function flat(path: string, value: unknown): KubeObject[] {
  if (value === null || value === undefined) return [];
  const { kind, apiVersion, items, metadata } = value as Partial<KubeObject> & { items?: unknown };
  if (typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items))
    return items.flatMap((item) => flat(path, item));
  if (
    typeof kind !== 'string' ||
    typeof apiVersion !== 'string' ||
    typeof metadata?.name !== 'string'
  )
    throw unusable(
      path,
      'what it holds is not all objects: each needs apiVersion, kind and metadata.name',
    );
  return [value as KubeObject];
}

function unusable(path: string, why: string, cause?: unknown): LiftlockError {
  return new LiftlockError('misconfigured', `${path} cannot be applied: ${why}`, {
    details: { path },
    ...(cause === undefined ? {} : { cause }),
  });
}
