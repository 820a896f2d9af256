import type { Check } from '#contracts';
import { LogPatterns, type Seen } from '#drivers/core';
import type { CheckedInstance } from './checked-instance.js';
import type { Cluster } from './cluster.js';
import { logLines } from './pod-log.js';
import { isEnding, runOf } from './pod-state.js';

type LogCheck = Extract<Check, { type: 'log' }>;

/** Logs are not asked for more often, in milliseconds. */
const EVERY_MS = 1_000;

/** Patterns in the logs of the new version's pods, all of them together: what one of several says, a leader for example, is said. */
export class LogLook {
  private readonly patterns: LogPatterns;
  private readonly since = new Map<string, string>();
  private runs = '';
  private lookedAt = 0;

  constructor(
    private readonly cluster: Cluster,
    check: LogCheck,
  ) {
    this.patterns = new LogPatterns(check);
  }

  async look({ pods, container }: CheckedInstance, signal: AbortSignal): Promise<Seen> {
    const present = pods.filter(({ pod }) => !isEnding(pod)).map(({ pod }) => pod);
    const runs = present.map((pod) => runOf(pod, container)).join('\n');
    if (runs !== this.runs) {
      this.runs = runs;
      this.since.clear();
      this.patterns.beginAnew();
    } else if (performance.now() - this.lookedAt < EVERY_MS) return this.patterns.seen;
    this.lookedAt = performance.now();
    for (const pod of present) {
      const { uid, name } = pod.metadata;
      const selection = { container, since: this.since.get(uid), timestamps: true };
      for (const line of await logLines(this.cluster, pod, selection, signal)) {
        const gap = line.indexOf(' ');
        this.patterns.take(name, line.slice(gap + 1));
        // the API reads whole seconds: those of the last one come again, and say the same
        this.since.set(uid, `${line.slice(0, 19)}Z`);
      }
    }
    return this.patterns.seen;
  }
}
