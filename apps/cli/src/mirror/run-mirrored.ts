import { mirroredPage, type MirroredImage } from '#contracts';
import { LiftlockError } from '#kernel';
import { withSession, type ApiOptions, type Session } from '../commands/api-session.js';
import { writeJson, type Output } from '../output.js';
import { age, bytes, table } from '../show/text.js';

export interface MirroredOptions extends ApiOptions {
  readonly environment?: string;
  readonly site?: string;
  readonly limit: number;
}

export interface GarbageOptions extends MirroredOptions {
  readonly delete: boolean;
}

/** What upgrades brought to mirrors. */
export async function runList(options: MirroredOptions, output: Output): Promise<void> {
  await withSession(output, options, async (session) => {
    show(session, await asked(session, '/v1/mirror/images', options));
  });
}

/** @returns whether all that was to be deleted is */
export async function runGarbage(options: GarbageOptions, output: Output): Promise<boolean> {
  return withSession(output, options, async (session) => {
    const garbage = await asked(session, '/v1/mirror/garbage', options);
    let whole = true;
    if (options.delete) whole = await deleteAll(session, garbage, options.site);
    else show(session, garbage);
    if (garbage.length >= options.limit)
      output.writeError(
        `these are ${options.limit}, and there may be more: ask again, or give a higher --limit\n`,
      );
    return whole;
  });
}

function asked(
  { client }: Session,
  path: string,
  { environment, site, limit }: MirroredOptions,
): Promise<MirroredImage[]> {
  return client.get(path, mirroredPage, { environment, site, limit }).then(({ items }) => items);
}

/** One after another; what fails is told, and the rest goes on. */
async function deleteAll(
  { client, output, format }: Session,
  garbage: readonly MirroredImage[],
  site: string | undefined,
): Promise<boolean> {
  const places = new Map(garbage.map((one) => [`${one.target}@${one.digest}`, one]));
  const outcomes: object[] = [];
  let whole = true;
  for (const [place, { target, digest }] of places) {
    try {
      await client.send('DELETE', `/v1/mirror/images/${digest}`, mirroredPage, {
        query: { target, site },
      });
      outcomes.push({ target, digest, outcome: 'deleted' });
      if (format === 'text') output.write(`${place} deleted\n`);
    } catch (thrown) {
      const error = LiftlockError.from(thrown);
      // deleted by somebody else meanwhile
      if (error.code === 'not_found') continue;
      whole = false;
      outcomes.push({ target, digest, outcome: 'kept', error: error.toShape() });
      if (format === 'text') output.writeError(`${error.message}\n`);
    }
  }
  if (format === 'json') writeJson(output, outcomes);
  else if (places.size === 0) output.write('none\n');
  return whole;
}

function show({ output, format }: Session, items: readonly MirroredImage[]): void {
  if (format === 'json') writeJson(output, items);
  else output.write(items.length === 0 ? 'none\n' : listing(items, new Date()));
}

function listing(items: readonly MirroredImage[], now: Date): string {
  return table([
    ['SOURCE', 'MIRRORED TO', 'ENVIRONMENT', 'APPLICATION', 'SENT', 'LAST USED', 'UPGRADE'],
    ...items.map((one) => [
      one.source,
      `${one.target}@${one.digest}`,
      one.environment,
      one.application,
      bytes(one.bytes),
      age(one.lastUsedAt, now),
      one.upgrade,
    ]),
  ]);
}
