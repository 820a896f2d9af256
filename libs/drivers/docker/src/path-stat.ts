import { z } from 'zod';
import type { StepContext } from '#drivers/core';
import { orMissing, type ContainerInfo, type Engine } from './engine.js';

/** `os.ModeDir` of Go, in which the engine tells modes. */
const DIRECTORY = 2 ** 31;
const HEADER = 'x-docker-container-path-stat';
const stat = z.object({ mode: z.number(), mtime: z.string() });

export interface PathStat {
  readonly kind: 'directory' | 'other';
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
  const { mode, mtime } = stat.parse(
    JSON.parse(Buffer.from(headers[HEADER] ?? '', 'base64').toString('utf8')),
  );
  return { kind: mode >= DIRECTORY && mode < 2 * DIRECTORY ? 'directory' : 'other', mtime };
}
