import { inject } from 'vitest';
import { askKeeper } from './ask-keeper.js';
import './servers.setup.js';

export interface TestEngine {
  /** As DOCKER_HOST takes it. */
  readonly host: string;
  /** Path of its Unix socket; not there when DOCKER_HOST names an engine over TCP. */
  readonly socketPath?: string;
}

/**
 * The Docker Engine of this test run: one that runs already, else a private one, started when the first file asks.
 * All files share it: use names of your own, and remove what you make.
 */
export function startDocker(): Promise<TestEngine> {
  return askKeeper(inject('servers').engineSocket, 'the Docker Engine', 120_000);
}
