import { request } from 'node:http';

/** Whether a service on this port says that it is ready: GET /health/ready answers 200. */
export function isServiceReady(port: number): Promise<boolean> {
  return new Promise((done) => {
    const call = request(
      { host: '127.0.0.1', port, path: '/health/ready', timeout: 2_000, agent: false },
      (response) => {
        response.resume();
        done(response.statusCode === 200);
      },
    );
    call.on('error', () => done(false));
    call.on('timeout', () => call.destroy(new Error('timeout')));
    call.end();
  });
}
