import { pipeline } from 'node:stream';
import { extract } from 'tar-stream';
import { z } from 'zod';
import type { StepContext } from '#drivers/core';
import { orMissing, type ContainerInfo, type Engine } from './engine.js';
import { abortedBy, engineError } from './errors.js';

/** Of Go's `os.FileMode`, in which the engine tells modes. */
const DIRECTORY = 2 ** 31;
const LINK = 2 ** 27;
/** `os.ModeType`: what no regular file has. */
const ANY_KIND = 0x8f28_0000;
const HEADER = 'x-docker-container-path-stat';
const stat = z.object({ mode: z.number(), mtime: z.string(), size: z.number().default(0) });

export interface PathStat {
  readonly kind: 'directory' | 'file' | 'link' | 'other';
  /** Bytes. */
  readonly size: number;
  /** RFC 3339, with nanoseconds. */
  readonly mtime: string;
}

/** What stands at a path inside a container, running or not; volumes and binds included, links not followed. */
export async function statInside(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
  path: string,
): Promise<PathStat | undefined> {
  const answer = await orMissing(
    engine.call<unknown>(`looking at ${path}`, context.signal, (docker, options) =>
      docker.getContainer(container.Id).infoArchive({ path, ...options }),
    ),
  );
  if (answer === undefined) return undefined;
  const { headers } = answer as { headers: Record<string, string | undefined> };
  const { mode, mtime, size } = stat.parse(
    JSON.parse(Buffer.from(headers[HEADER] ?? '', 'base64').toString('utf8')),
  );
  return { kind: kindOf(mode), mtime, size };
}

function kindOf(mode: number): PathStat['kind'] {
  // as bits of 32: the highest is the sign
  if ((mode & DIRECTORY) !== 0) return 'directory';
  if ((mode & LINK) !== 0) return 'link';
  return (mode & ANY_KIND) === 0 ? 'file' : 'other';
}

/** The content of a file inside a container, running or not. @param most bytes of which no more is kept than that there are more */
export async function readInside(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
  path: string,
  most: number,
): Promise<Buffer | undefined> {
  const tar = await orMissing(
    engine.call(`reading ${path}`, context.signal, (docker, options) =>
      docker.getContainer(container.Id).getArchive({ path, ...options }),
    ),
  );
  if (tar === undefined) return undefined;
  const unpack = extract();
  const abort = (): void => unpack.destroy(abortedBy(context.signal, `reading ${path}`));
  context.signal.addEventListener('abort', abort, { once: true });
  try {
    pipeline(tar, unpack, () => undefined); // an error reaches the reader through `unpack`
    for await (const entry of unpack) {
      const pieces: Buffer[] = [];
      let size = 0;
      for await (const piece of entry as AsyncIterable<Buffer>) {
        if (size <= most) pieces.push(piece);
        size += piece.length;
      }
      return Buffer.concat(pieces);
    }
    return undefined;
  } catch (error) {
    throw engineError(engine, `reading ${path}`, error, context.signal);
  } finally {
    context.signal.removeEventListener('abort', abort);
    unpack.destroy();
  }
}
