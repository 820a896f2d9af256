import { createServer } from 'node:http';
import { ensureDockerEngine, type DockerEngine } from '#fleet';

export interface EngineKeeper {
  stop(): Promise<void>;
}

/**
 * Lives in the main process of a test run and starts the run's Docker Engine when the first test file asks on this
 * Unix socket: so one engine is started at most, only if needed, and ends with the run and not with a file.
 */
export async function keepEngine(socket: string, folder: string): Promise<EngineKeeper> {
  let engine: Promise<DockerEngine> | undefined;
  const server = createServer((_request, response) => {
    const asked = (engine ??= ensureDockerEngine({ folder, tied: true }));
    asked.then(
      ({ host, socketPath }) => response.end(JSON.stringify({ host, socketPath })),
      (error: unknown) => {
        // or every later file would fail with what was of a moment
        if (engine === asked) engine = undefined;
        response.writeHead(500).end(error instanceof Error ? error.message : String(error));
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  server.unref();
  return {
    async stop() {
      server.close();
      const started = await engine?.catch(() => undefined);
      await started?.remove();
    },
  };
}
