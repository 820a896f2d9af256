import { Inject, Injectable, Logger, Optional } from '@nestjs/common';
import { Bus } from '#bus';
import type { TransferState } from '#drivers/core';
import { keyText, type RunStep } from './options.js';
import { TransferTelling, type ToldTransfer } from './transfer-telling.js';

/** Milliseconds between two messages of a step. */
const EVERY_MS = 1_000;

/** The transfer of one attempt, for those who watch. */
export interface AttemptTransfer {
  at(state: TransferState): void;
  /** The attempt has ended: nothing is told after it. */
  end(succeeded: boolean): void;
}

/** How far the transfers of this process are, told to whoever listens. No step ever waits for it, or fails of it. */
@Injectable()
export class Transfers {
  private readonly logger = new Logger(Transfers.name);
  private readonly running = new Map<TransferTelling, RunStep>();
  private timer: NodeJS.Timeout | undefined;

  /** @param bus left out: nobody is told */
  constructor(@Optional() @Inject(Bus) private readonly bus?: Bus) {}

  begin(command: RunStep): AttemptTransfer {
    const telling = new TransferTelling();
    return {
      at: (state) => {
        telling.at(state);
        if (!this.running.has(telling)) this.add(telling, command);
      },
      end: (succeeded) => {
        const last = telling.end(succeeded);
        this.remove(telling);
        if (last !== undefined) this.tell(command, last);
      },
    };
  }

  private add(telling: TransferTelling, command: RunStep): void {
    if (telling.isEnded) return;
    this.running.set(telling, command);
    this.timer ??= setInterval(() => this.tick(), EVERY_MS).unref();
  }

  private remove(telling: TransferTelling): void {
    this.running.delete(telling);
    if (this.running.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private tick(): void {
    for (const [telling, command] of this.running) {
      const news = telling.due();
      if (news !== undefined) this.tell(command, news);
    }
  }

  private tell(command: RunStep, news: ToldTransfer): void {
    const { upgrade, environment, application, stepId, token } = command;
    try {
      this.bus?.tell('step-transfer', {
        ...{ upgrade, environment, application, stepId, token },
        ...news,
        at: new Date().toISOString(),
      });
    } catch (error) {
      this.logger.warn(`how far ${keyText(command)} is cannot be told: ${String(error)}`);
    }
  }
}
