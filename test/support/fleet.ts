import { rmSync } from 'node:fs';
import { EmbeddedFleet, type FleetOptions } from '#fleet';
import { newFolder } from './shared-servers.js';

export interface FreshFleet {
  readonly fleet: EmbeddedFleet;
  /** Stops all of it and deletes its folder. */
  stop(): Promise<void>;
}

/**
 * A whole fleet of this test file's own, from the built services (`dist`), with the Docker and the model driver.
 * It ends with the file, however that ends.
 */
export async function freshFleet(options: Partial<FleetOptions> = {}): Promise<FreshFleet> {
  const folder = options.folder ?? newFolder('fleet');
  const fleet = await EmbeddedFleet.start({
    folder,
    fsync: false,
    tied: true,
    ...options,
    env: { LIFTLOCK_DRIVERS: 'docker,model', ...options.env },
  });
  return {
    fleet,
    async stop() {
      await fleet.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
