import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { Subscription } from '@nats-io/transport-node';
import { EVENT_SUBJECTS } from '#contracts';
import { Bus } from '#bus';

/** `liftlock.event.<environment>.<application>.<upgrade>.<type>` */
const UPGRADE_TOKEN = 4;
const TYPE_TOKEN = 5;

/** @param type of the event, as in its subject */
type Wake = (type: string) => void;

/** Hears that something happened to an upgrade. What it was is asked of the coordinator: a message may be lost, a row is not. */
@Injectable()
export class EventWakes implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(EventWakes.name);
  private readonly waiting = new Map<string, Set<Wake>>();
  private subscription: Subscription | undefined;

  constructor(private readonly bus: Bus) {}

  onModuleInit(): void {
    this.subscription = this.bus.nats.subscribe(EVENT_SUBJECTS, {
      callback: (error, message) => {
        if (error !== null) {
          this.logger.warn(`events are not heard, only asked for: ${error.message}`);
          return;
        }
        const tokens = message.subject.split('.');
        for (const wake of this.waiting.get(tokens[UPGRADE_TOKEN] ?? '') ?? [])
          wake(tokens[TYPE_TOKEN] ?? '');
      },
    });
  }

  onModuleDestroy(): void {
    this.subscription?.unsubscribe();
  }

  /** Calls `wake` for each event of this upgrade, until the answer is called. */
  listen(upgrade: string, wake: Wake): () => void {
    const wakes = this.waiting.get(upgrade) ?? new Set();
    this.waiting.set(upgrade, wakes.add(wake));
    return () => {
      wakes.delete(wake);
      if (wakes.size === 0) this.waiting.delete(upgrade);
    };
  }
}
