import { request } from 'node:http';
import { inject } from 'vitest';
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
  const { engineSocket } = inject('servers');
  return new Promise((resolve, reject) => {
    const call = request(
      { socketPath: engineSocket, method: 'POST', timeout: 120_000 },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
        response.on('end', () => {
          if (response.statusCode === 200) resolve(JSON.parse(text) as TestEngine);
          else reject(new Error(text));
        });
      },
    );
    call.on('timeout', () => call.destroy(new Error('the Docker Engine did not start in time')));
    call.on('error', reject);
    call.end();
  });
}
