import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { APPS, type App } from '#contracts';

/** A service with health and nothing else: what these tests are about is processes, not services. */
const MAIN = `
const { createServer } = require('node:http');
const { appendFileSync } = require('node:fs');
if (process.env.FIXTURE_BREAKS) { console.error('broken on purpose'); process.exit(3); }
appendFileSync(process.env.FIXTURE_LEDGER, JSON.stringify({ pid: process.pid, env: process.env }) + '\\n');
createServer((request, response) => {
  response.writeHead(request.url === '/health/ready' && !process.env.FIXTURE_NEVER_READY ? 200 : 503).end();
}).listen(Number(process.env.PORT), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
`;

/** A folder that looks like a built repository. */
export function buildFixture(folder: string): string {
  for (const app of APPS) {
    const source = join(folder, 'dist', 'apps', app, 'src');
    mkdirSync(source, { recursive: true });
    writeFileSync(join(source, 'main.js'), MAIN);
  }
  return folder;
}

export const FEW: readonly App[] = ['gateway', 'executor'];
