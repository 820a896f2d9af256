import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { waitFor } from '#kernel';

const READY_DEADLINE_MS = 60_000;
/** A line for each change: of which Service, and on which nodes its ready endpoints are. */
const LINE = '{.metadata.name} {.subsets[*].addresses[*].nodeName}{"\\n"}';

/** Since when a service has no endpoint, and how long that was before. */
interface Down {
  since: number | undefined;
  total: number;
}

/** Watches the ready endpoints of Services, as whoever sends requests to them does, to know how long each had none. */
export class EndpointsProbe {
  private readonly seen = new Map<string, Down>();

  private constructor(
    private readonly watching: ChildProcess,
    /** Services that have an endpoint on each node, which serves that node: each is counted by itself. */
    private readonly eachNode: readonly string[],
  ) {
    const { stdout } = watching;
    if (stdout !== null) createInterface({ input: stdout }).on('line', (line) => this.look(line));
  }

  /** Resolves once so many endpoints have been seen to be ready. */
  static async start(
    { kubeconfig, namespace }: { readonly kubeconfig: string; readonly namespace: string },
    wanted: number,
    eachNode: readonly string[],
  ): Promise<EndpointsProbe> {
    const get = ['--kubeconfig', kubeconfig, '-n', namespace, 'get', 'endpoints', '--watch'];
    const words = [...get, '-o', `jsonpath=${LINE}`];
    const child = spawn('kubectl', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    const probe = new EndpointsProbe(child, eachNode);
    await waitFor(() => Promise.resolve(probe.seen.size === wanted), {
      ...{ what: `${wanted} ready endpoints in ${namespace}`, deadlineMs: READY_DEADLINE_MS },
      everyMs: 50,
    });
    return probe;
  }

  /** For how many milliseconds each had no ready endpoint; resolves once all have one again. */
  async downtimesMs(): Promise<Readonly<Record<string, number>>> {
    const isBack = (): boolean => [...this.seen.values()].every((one) => one.since === undefined);
    await waitFor(() => Promise.resolve(isBack()), {
      ...{ what: 'a ready endpoint of each service', deadlineMs: READY_DEADLINE_MS, everyMs: 50 },
    });
    if (this.watching.exitCode !== null) throw new Error('the watch of endpoints ended by itself');
    return Object.fromEntries([...this.seen].map(([name, { total }]) => [name, total]));
  }

  stop(): void {
    this.watching.kill();
  }

  private look(line: string): void {
    const now = performance.now();
    const [name = '', ...nodes] = line.trim().split(' ');
    const isEach = this.eachNode.includes(name);
    const ready = new Set(nodes.map((node) => (isEach ? `${name}@${node}` : name)));
    for (const key of ready) {
      const { since = now, total } = this.seen.get(key) ?? { since: undefined, total: 0 };
      this.seen.set(key, { since: undefined, total: total + now - since });
    }
    for (const [key, down] of this.seen)
      if (key.split('@')[0] === name && !ready.has(key)) down.since ??= now;
  }
}
