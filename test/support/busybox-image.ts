import { execFileSync } from 'node:child_process';
import { busyboxRoot, IMAGE_CHANGES } from '../../examples/guestbook/index.js';

/** Builds an image from Debian's busybox-static and a start script, with `docker import`: nothing is pulled. */
export async function buildImage(
  docker: NodeJS.ProcessEnv,
  reference: string,
  script: string,
): Promise<void> {
  const changes = IMAGE_CHANGES.flatMap((change) => ['-c', change]);
  execFileSync('docker', ['import', ...changes, '-', reference], {
    env: docker,
    input: await busyboxRoot(script),
    stdio: ['pipe', 'ignore', 'pipe'],
  });
}

/** Serves its version at once; ends at once on SIGTERM, as a service should. */
export function httpService(version: string, port: number): string {
  return `#!/bin/sh
mkdir -p /www
echo ${version} > /www/version
httpd -f -p ${port} -h /www &
trap 'kill $!; exit 0' TERM INT
wait $!
`;
}
