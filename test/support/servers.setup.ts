import type { TestProject } from 'vitest/node';
import './ports.setup.js';
import { startSharedServers, type SharedServers, type StartedServers } from './shared-servers.js';

declare module 'vitest' {
  interface ProvidedContext {
    servers: SharedServers;
  }
}

/** Each project loads this file anew, in one process: what they share hangs on a symbol of that process. */
const KEY = Symbol.for('liftlock.test.servers');
interface Holder {
  users: number;
  started: Promise<StartedServers>;
}
const processWide = globalThis as { [KEY]?: Holder };

/** Vitest's global setup: the first project of a run starts the servers, the last one to leave stops them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const holder = (processWide[KEY] ??= { users: 0, started: startSharedServers() });
  holder.users += 1;
  const started = await holder.started;
  project.provide('servers', started.shared);
  return async () => {
    holder.users -= 1;
    if (holder.users > 0) return;
    delete processWide[KEY];
    await started.stop();
  };
}
