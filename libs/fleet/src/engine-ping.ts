import { request } from 'node:http';

/** Whether a Docker Engine answers at this address (`unix://` or plain `tcp://`; TLS and SSH are not looked at). */
export function engineAnswers(host: string): Promise<boolean> {
  const target = targetOf(host);
  if (target === undefined) return Promise.resolve(false);
  return new Promise((done) => {
    const call = request({ ...target, path: '/_ping', timeout: 3_000 }, (response) => {
      response.resume();
      done(response.statusCode === 200);
    });
    call.on('error', () => done(false));
    call.on('timeout', () => call.destroy(new Error('timeout')));
    call.end();
  });
}

function targetOf(
  host: string,
): { socketPath: string } | { host: string; port: number } | undefined {
  if (host.startsWith('unix://')) return { socketPath: host.slice('unix://'.length) };
  if (!URL.canParse(host)) return undefined;
  const { protocol, hostname, port } = new URL(host);
  return protocol === 'tcp:' || protocol === 'http:'
    ? { host: hostname, port: Number(port || 2375) }
    : undefined;
}
