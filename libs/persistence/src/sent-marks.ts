import type { OutboxRows } from './outbox-rows.js';

/** Marks messages as sent, as many at once as came together while the last marks were under way. */
export class SentMarks {
  private ids: string[] = [];
  private marking: Promise<void> | undefined;

  constructor(private readonly rows: OutboxRows) {}

  add(id: string): void {
    this.ids.push(id);
    this.marking ??= this.markAll();
  }

  async settled(): Promise<void> {
    await this.marking;
  }

  private async markAll(): Promise<void> {
    while (this.ids.length > 0) {
      const ids = this.ids;
      this.ids = [];
      // not marked means sent again by the loop, under the same id
      await this.rows.mark(ids).catch(() => undefined);
    }
    // in the same turn as the last look at `ids`: nothing can be added in between and be forgotten
    this.marking = undefined;
  }
}
