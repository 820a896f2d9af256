import type { DriverName, StepPlace } from '#contracts';
import { LiftlockError } from '#kernel';
import type { Driver, DriverLoader } from './driver.js';

/** The drivers that a service was told to load, each opened once, when it is first asked for. */
export class DriverRegistry {
  private readonly open = new Map<StepPlace['driver'], Promise<Driver>>();

  constructor(private readonly loaders: Readonly<Partial<Record<DriverName, DriverLoader>>>) {}

  /** @throws LiftlockError `misconfigured` when the driver is not among LIFTLOCK_DRIVERS. */
  get(name: StepPlace['driver']): Promise<Driver> {
    const known = this.open.get(name);
    if (known !== undefined) return known;
    const loader = name === 'registry' || name === 'folder' ? undefined : this.loaders[name];
    if (loader === undefined) {
      const loaded = Object.keys(this.loaders).join(', ');
      throw new LiftlockError(
        'misconfigured',
        `the driver ${name} is not loaded here (LIFTLOCK_DRIVERS has: ${loaded}); add it and start the service again`,
      );
    }
    const opening = loader();
    this.open.set(name, opening);
    opening.catch(() => this.open.delete(name));
    return opening;
  }

  async close(): Promise<void> {
    for (const opening of this.open.values()) await (await opening).close();
    this.open.clear();
  }
}
