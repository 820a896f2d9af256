import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { described, digestOf, fileLayer } from '../../../../test/support/registry-image.js';

/** A registry of one image (distribution specification 1.1, reading only), over HTTP on the loopback, which engines allow. */
export interface TestRegistry {
  /** `127.0.0.1:<port>/app@sha256:…` */
  readonly digest: string;
  /** The digest of the configuration. */
  readonly imageId: string;
  close(): Promise<void>;
}

/** As a registry says it. */
const UNKNOWN = JSON.stringify({
  errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }],
});
const DOCKER = 'application/vnd.docker';

export async function startRegistry(): Promise<TestRegistry> {
  const layer = await fileLayer('file', 'pulled');
  const config = json({
    architecture: 'amd64',
    os: 'linux',
    config: { Cmd: ['/none'] },
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    history: [{ created_by: 'test' }],
  });
  const packed = gzipSync(layer);
  const manifest = json({
    schemaVersion: 2,
    mediaType: `${DOCKER}.distribution.manifest.v2+json`,
    config: described(config, `${DOCKER}.container.image.v1+json`),
    layers: [described(packed, `${DOCKER}.image.rootfs.diff.tar.gzip`)],
  });
  const blobs = new Map([config, packed, manifest].map((blob) => [digestOf(blob), blob]));
  const server: Server = createServer((request, response) => {
    const [kind, reference = ''] = (request.url ?? '').split('/').slice(-2);
    const body = blobs.get(reference);
    if (request.url === '/v2/') response.end('{}');
    else if (body === undefined) response.writeHead(404).end(UNKNOWN);
    else {
      const type =
        kind === 'manifests'
          ? `${DOCKER}.distribution.manifest.v2+json`
          : 'application/octet-stream';
      response.writeHead(200, { 'content-type': type, 'docker-content-digest': digestOf(body) });
      response.end(request.method === 'HEAD' ? undefined : body);
    }
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    digest: `127.0.0.1:${port}/app@${digestOf(manifest)}`,
    imageId: digestOf(config),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
