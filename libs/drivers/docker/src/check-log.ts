import type { Check } from '#contracts';
import { LogPatterns, type Seen } from '#drivers/core';
import { logLines } from './container-log.js';
import { nameOf, type ContainerInfo, type Engine } from './engine.js';

type LogCheck = Extract<Check, { type: 'log' }>;

/** Patterns in the log since the container's present start; lines that were read once are not read again. */
export class LogLook {
  private readonly patterns: LogPatterns;
  private start = '';
  private since = '';

  constructor(
    private readonly engine: Engine,
    check: LogCheck,
  ) {
    this.patterns = new LogPatterns(check);
  }

  async look(container: ContainerInfo, signal: AbortSignal): Promise<Seen> {
    const start = `${container.Id} ${container.State.StartedAt}`;
    if (start !== this.start) {
      this.start = start;
      this.since = beginning(container);
      this.patterns.beginAnew();
    }
    const lines = await logLines(this.engine, container, {
      since: this.since,
      timestamps: true,
      signal,
    });
    for (const line of lines) this.take(container, line);
    return this.patterns.seen;
  }

  private take(container: ContainerInfo, line: string): void {
    const gap = line.indexOf(' ');
    const time = line.slice(0, gap);
    this.patterns.take(nameOf(container), line.slice(gap + 1));
    // read again from this moment on: the engine takes it as "not before"
    if (time !== '') this.since = seconds(time);
  }
}

/**
 * From when on lines belong to the present run. The engine notes the start only after the process began, which may have
 * logged by then; and it stamps the last lines of the run before a little after that run's end. So: between the two, and
 * no more than two seconds before the start.
 */
export function beginning(container: {
  readonly State: { readonly StartedAt: string; readonly FinishedAt: string };
}): string {
  const started = Date.parse(container.State.StartedAt);
  const finished = Date.parse(container.State.FinishedAt);
  const before = Number.isFinite(finished) && finished < started ? (started + finished) / 2 : 0;
  return (Math.max(0, started - 2000, before) / 1000).toFixed(3);
}

/** RFC 3339 with nanoseconds as `seconds.nanoseconds`, as the engine takes it. */
export function seconds(time: string): string {
  const fraction = /\.(\d{1,9})/.exec(time)?.[1] ?? '';
  return `${Math.floor(Date.parse(time) / 1000)}.${fraction.padEnd(9, '0')}`;
}
