import { Injectable } from '@nestjs/common';
import { plan, type Plan } from '#contracts';
import { QueryClient } from '#bus';

/** Plans whose sites are remembered: they never change. */
const MAX_REMEMBERED = 200;

/** A plan is as large as it is: it is read, and passed on, in pages. */
@Injectable()
export class PlanPages {
  private readonly sites = new Map<string, readonly string[]>();

  constructor(private readonly queries: QueryClient) {}

  /** The canonical JSON text, piece by piece. */
  async *pages(digest: string): AsyncGenerator<string> {
    let offset: number | undefined = 0;
    while (offset !== undefined) {
      const page: { text: string; nextOffset?: number | undefined } = await this.queries.ask(
        'get-plan',
        { digest, offset },
      );
      yield page.text;
      if (page.nextOffset !== undefined && page.nextOffset <= offset) return;
      offset = page.nextOffset;
    }
  }

  /** The sites of its targets. */
  async sitesOf(digest: string): Promise<readonly string[]> {
    const known = this.sites.get(digest);
    if (known !== undefined) return known;
    let text = '';
    for await (const page of this.pages(digest)) text += page;
    const read: Plan = plan.parse(JSON.parse(text));
    const sites = [...new Set(read.targets.map(({ site }) => site))].sort();
    const [oldest] = this.sites.keys();
    if (this.sites.size >= MAX_REMEMBERED && oldest !== undefined) this.sites.delete(oldest);
    this.sites.set(digest, sites);
    return sites;
  }
}
