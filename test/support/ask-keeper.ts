import { request } from 'node:http';

/** What a keeper in the run's main process has started, or starts now, since nobody has asked before. */
export function askKeeper<T>(socketPath: string, what: string, timeoutMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method: 'POST', timeout: timeoutMs }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
      response.on('end', () => {
        if (response.statusCode === 200) resolve(JSON.parse(text) as T);
        else reject(new Error(text));
      });
    });
    call.on('timeout', () => call.destroy(new Error(`${what} did not start in time`)));
    call.on('error', reject);
    call.end();
  });
}
