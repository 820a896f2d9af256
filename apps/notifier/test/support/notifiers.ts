import type { DeliveryPolicy } from '../../src/domain/delivery-policy.js';
import { RunningNotifier } from './running-notifier.js';
import { newSecret, type Scene } from './scene.js';

export const KEY = newSecret();
export const OTHER_KEY = newSecret();
const SECRETS = {
  LIFTLOCK_SECRET_HOOKS: KEY,
  LIFTLOCK_SECRET_OTHER: OTHER_KEY,
  LIFTLOCK_SECRET_ODD: 'this is not base64!',
};

/** The notifiers of one scene. */
export class Notifiers {
  private readonly started: RunningNotifier[] = [];

  constructor(private readonly scene: Scene) {}

  /** It does not work yet. */
  async launch(policy?: DeliveryPolicy): Promise<RunningNotifier> {
    const { nats, database } = this.scene;
    const notifier = await RunningNotifier.launch(nats, database, SECRETS, policy);
    this.started.push(notifier);
    return notifier;
  }

  /** One that works. */
  async start(policy?: DeliveryPolicy): Promise<RunningNotifier> {
    const notifier = await this.launch(policy);
    await notifier.ready();
    return notifier;
  }

  /** Now, all of them: nothing comes to an end. */
  async kill(): Promise<void> {
    await Promise.all(this.started.map((notifier) => notifier.kill()));
  }

  /** When a test is over. @throws Error when a secret stands in a log, whatever the test was about. */
  async killAll(): Promise<void> {
    await this.kill();
    const all = this.started.splice(0);
    for (const [name, value] of Object.entries(SECRETS)) {
      const words = [value, value.replace('whsec_', '')];
      if (all.some(({ log }) => words.some((word) => log.includes(word))))
        throw new Error(`${name} stands in the log of a notifier`);
    }
  }
}
