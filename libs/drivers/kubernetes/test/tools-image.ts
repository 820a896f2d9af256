import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { ServiceImage } from '../../../../test/support/registry-image.js';

const TOOLS = [
  ...['sh', 'tar', 'zstd', 'find', 'xargs', 'sha256sum', 'sync', 'cat', 'cp', 'mv', 'mkdir', 'rm'],
  ...['touch', 'stat', 'head', 'sleep', 'getfattr', 'openssl'],
];

/** This machine's tools with the libraries that they load, where they are here. @param without what it lacks */
export async function toolsImage(without: readonly string[] = []): Promise<ServiceImage> {
  const tools = TOOLS.filter((tool) => !without.includes(tool));
  const files = new Set<string>();
  for (const tool of tools) {
    const program = execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim();
    files.add(program);
    const linked = execFileSync('ldd', [program], { encoding: 'utf8' });
    for (const [, library = ''] of linked.matchAll(/(\/\S+) \(0x/g)) files.add(library);
  }
  const layer = execFileSync(
    'tar',
    ['--create', '--dereference', '--hard-dereference', '-P', '--transform=s,^/,,', ...files],
    { maxBuffer: 2 ** 28 },
  );
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: {},
    rootfs: {
      type: 'layers',
      diff_ids: [`sha256:${createHash('sha256').update(layer).digest('hex')}`],
    },
    history: [{ created_by: 'test' }],
  };
  return { layers: [layer], config: Buffer.from(JSON.stringify(config)) };
}
