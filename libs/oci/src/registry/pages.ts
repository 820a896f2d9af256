import { LiftlockError } from '#kernel';
import { isObject } from '../descriptor.js';
import type { RegistryClient, RegistryRequest } from './registry-client.js';

/** Bytes of one page of a list. */
const MAX_PAGE_BYTES = 16 * 1024 * 1024;
/** Pages after which a registry is taken to link in a circle. */
const MAX_PAGES = 10_000;

/** A list in pages, each naming the next by `Link: <…>; rel="next"` (RFC 8288); none when the registry answers 404. */
export async function* readLinked(
  client: RegistryClient,
  first: Pick<RegistryRequest, 'url' | 'what' | 'scopes' | 'signal'>,
): AsyncGenerator<Record<string, unknown>, void, undefined> {
  const { what } = first;
  let { url } = first;
  const seen = new Set<string>();
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer = await client.send({ ...first, method: 'GET', url, expect: [200, 404] });
    if (answer.status === 404) {
      answer.discard();
      return;
    }
    const next = nextOf(answer.header('link'));
    const text = (await answer.bytes(MAX_PAGE_BYTES)).toString('utf8');
    yield parse(text, what);
    if (next === undefined) return;
    url = client.resolve(next, url);
    if (seen.has(url.href)) break;
    seen.add(url.href);
  }
  throw new LiftlockError('registry_refused', `${what}: the registry's pages link in a circle`);
}

function nextOf(link: string | undefined): string | undefined {
  for (const one of link?.split(/,(?=\s*<)/) ?? []) {
    const found = /^\s*<([^>]*)>(.*)$/.exec(one);
    if (found !== null && /;\s*rel="?next"?/i.test(found[2] ?? '')) return found[1];
  }
  return undefined;
}

function parse(text: string, what: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (isObject(parsed)) return parsed;
  } catch {
    // told below
  }
  throw new LiftlockError('registry_refused', `${what}: the registry answered no JSON`);
}
