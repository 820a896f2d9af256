import { createServer } from 'node:http';
import { ensureDockerEngine, type DockerEngine } from '#fleet';

export interface EngineKeeper {
  stop(): Promise<void>;
}

/**
 * Lives in the main process of a test run and starts the run's Docker Engine when the first test file asks on this
 * Unix socket: so the engine is started at most once, only if needed, and ends with the run and not with a file.
 */
export async function keepEngine(socket: string, folder: string): Promise<EngineKeeper> {
  let engine: Promise<DockerEngine> | undefined;
  const server = createServer((_request, response) => {
    engine ??= ensureDockerEngine({ folder, tied: true });
    engine.then(
      ({ host, socketPath }) => response.end(JSON.stringify({ host, socketPath })),
      (error: unknown) =>
        response.writeHead(500).end(error instanceof Error ? error.message : String(error)),
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
