import { z } from 'zod';
import type { ApiClient, RequestOptions } from './client.js';

/** Rows that one answer may hold. */
const PAGE = 100;

/** The first so many items of a list, page by page. */
export async function listItems<S extends z.ZodType>(
  client: ApiClient,
  path: string,
  item: S,
  max: number,
  query: NonNullable<RequestOptions['query']> = {},
): Promise<z.infer<S>[]> {
  const page = z.object({ items: z.array(item), nextCursor: z.string().optional() });
  const items: z.infer<S>[] = [];
  let cursor: string | undefined;
  do {
    const limit = Math.min(PAGE, max - items.length);
    const answer = await client.get(path, page, { ...query, limit, cursor });
    items.push(...answer.items);
    // a page that leads nowhere further is the last
    cursor = answer.nextCursor === cursor ? undefined : answer.nextCursor;
  } while (cursor !== undefined && items.length < max);
  return items;
}
