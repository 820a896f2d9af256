import type { Cluster } from './cluster.js';
import { statusOf } from './errors.js';
import type { Pod } from './objects.js';
import { pathOf, RESOURCES } from './resources.js';

export interface LogSelection {
  readonly container: string;
  /** Of the run before the present one. */
  readonly previous?: boolean;
  /** Lines from the end; default: all there are. */
  readonly tail?: number;
  /** As the API writes times; lines of the same second come again. */
  readonly since?: string | undefined;
  /** Whether each line begins with its time. */
  readonly timestamps?: boolean;
}

/**
 * What a kubelet writes into its answer, as if the container had said it, where the log's file is away: not made yet, or cleaned up
 * (kubernetes/kubernetes#107243, #52172).
 */
const NO_LOG =
  /^(?:failed to try resolving symlinks in path|failed to open log file|unable to retrieve container logs for) /;

/** Lines of a container's log; none where it has none (yet, or any more). */
export async function logLines(
  cluster: Cluster,
  { metadata: { namespace, name } }: Pod,
  { container, previous = false, tail, since, timestamps = false }: LogSelection,
  signal: AbortSignal,
): Promise<string[]> {
  try {
    const text = await cluster.text(
      `reading the log of ${name}`,
      {
        path: pathOf(RESOURCES.pods, { namespace, name, sub: 'log' }),
        query: {
          container,
          ...(previous ? { previous } : {}),
          tailLines: tail,
          sinceTime: since,
          ...(timestamps ? { timestamps } : {}),
        },
      },
      signal,
    );
    return text.split('\n').filter((line) => line !== '' && !NO_LOG.test(line));
  } catch (error) {
    // 400: it has not been started
    if ([400, 404].includes(statusOf(error) ?? 0)) return [];
    throw error;
  }
}

/** Lines that tell why something went wrong. */
const LAST_LINES = 20;
const LONGEST_LINE = 1000;

/** The last lines of a container, or of its run before where the present one has said nothing. Never an error: it is for another one's message. */
export async function lastLines(
  cluster: Cluster,
  pod: Pod,
  container: string,
  signal: AbortSignal,
): Promise<string[]> {
  for (const previous of [false, true]) {
    try {
      const selection = { container, previous, tail: LAST_LINES };
      const lines = await logLines(cluster, pod, selection, signal);
      if (lines.length > 0) return lines.map((line) => line.slice(0, LONGEST_LINE));
    } catch {
      signal.throwIfAborted();
    }
  }
  return [];
}
