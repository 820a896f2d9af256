import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { pack } from 'tar-stream';

/** As PID 1 busybox's httpd would ignore SIGTERM; a shell with a trap does not. */
const SERVE = `#!/bin/sh
trap 'exit 0' TERM INT
echo "version $VERSION starting"
mkdir -p /srv && echo "$VERSION" > /srv/index.html
httpd -p 8080 -h /srv
echo "version $VERSION ready"
while :; do sleep 3600 & wait $!; done
`;

const APPLETS = [
  ...['sh', 'sleep', 'httpd', 'echo', 'mkdir', 'cat', 'true', 'false', 'ls', 'touch', 'printf'],
  ...[
    'env',
    'id',
    'hostname',
    'wget',
    'ip',
    'date',
    'kill',
    'rm',
    'ln',
    'mkfifo',
    'chmod',
    'chown',
  ],
];

/** An image of busybox with a small service, made by `docker import`: nothing is pulled. Gives its ID. */
export async function importImage(
  docker: Docker,
  reference: string,
  changes: readonly string[] = [],
): Promise<string> {
  const tar = pack();
  for (const folder of ['bin', 'srv', 'tmp', 'etc'])
    tar.entry({ name: `${folder}/`, type: 'directory', mode: 0o755 });
  tar.entry({ name: 'bin/busybox', mode: 0o755 }, readFileSync('/usr/bin/busybox'));
  for (const applet of APPLETS)
    tar.entry({ name: `bin/${applet}`, type: 'symlink', linkname: 'busybox' });
  tar.entry({ name: 'bin/serve', mode: 0o755 }, SERVE);
  tar.entry(
    { name: 'etc/passwd', mode: 0o644 },
    'root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n',
  );
  tar.entry({ name: 'etc/group', mode: 0o644 }, 'root:x:0:\napp:x:1000:\n');
  tar.finalize();
  const [repo, tag = 'latest'] = reference.split(':');
  const stream = (await docker.importImage(
    tar as unknown as NodeJS.ReadableStream,
    {
      repo,
      tag,
      changes,
    } as object,
  )) as Readable;
  for await (const chunk of stream) {
    if (String(chunk).includes('"error"')) throw new Error(String(chunk));
  }
  return (await docker.getImage(reference).inspect()).Id;
}

/** The service at a version; images of two versions differ in environment, command and labels. */
export function serviceImage(docker: Docker, reference: string, version: string): Promise<string> {
  return importImage(docker, reference, [
    `ENV VERSION=${version}`,
    'ENV PATH=/bin',
    `LABEL image.version=${version}`,
    'CMD ["/bin/serve"]',
  ]);
}
