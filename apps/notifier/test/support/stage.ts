import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { Notifiers } from './notifiers.js';
import { Receiver } from './receiver.js';
import { Scene } from './scene.js';

/** What a file of tests has around it. */
interface Stage {
  scene: Scene;
  notifiers: Notifiers;
  /** A new one for each test. */
  receiver: Receiver;
  /** Ids of the events that came to a path, in order. */
  idsAt(path: string): string[];
}

/** Opened before the file's tests, and closed behind them. */
export function openStage(): Stage {
  const stage = {
    idsAt: (path: string): string[] => stage.receiver.at(path).map(({ id }) => id),
  } as Stage;
  beforeAll(async () => {
    stage.scene = await Scene.open();
    stage.notifiers = new Notifiers(stage.scene);
  });
  afterAll(() => stage.scene.close());
  beforeEach(async () => {
    stage.receiver = await Receiver.start();
  });
  afterEach(() => stage.receiver.stop());
  return stage;
}
