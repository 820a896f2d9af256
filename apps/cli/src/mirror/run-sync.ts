import { LiftlockError } from '#kernel';
import {
  Copier,
  formatReference,
  parseLocation,
  parsePlatform,
  parseReference,
  parseRepository,
  type CopyJob,
  type Registries,
} from '#oci';
import { explainError } from '../explain-error.js';
import { writeJson, type Format, type Output } from '../output.js';
import { bytes, duration } from '../show/text.js';
import { CopyBoard } from './copy-progress.js';
import { openSource } from './run-copy.js';
import { cosignPolicy } from './signature-option.js';
import { selectTags, type SyncFile, type SyncImage } from './sync-file.js';

/** One image that is to be where it is not yet. */
interface Task {
  readonly name: string;
  readonly job: () => Promise<CopyJob>;
}

/** All images of a list. One that fails fails alone. @returns whether all are there */
export async function runSync(
  registries: Registries,
  list: SyncFile,
  options: { readonly key: readonly string[]; readonly format: Format },
  output: Output,
): Promise<boolean> {
  const board = new CopyBoard(output);
  const admit = cosignPolicy(options.key);
  const controller = new AbortController();
  const stop = (): void =>
    controller.abort(new LiftlockError('revoked', 'interrupted: what was begun is cancelled'));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const copier = new Copier();
  const ended: object[] = [];
  let failed = 0;
  let sent = 0;
  const fail = (name: string, error: unknown): void => {
    failed += 1;
    const known = LiftlockError.from(error);
    board.failed(name, known.message);
    if (known.code === 'internal') explainError(error, output);
    ended.push({ image: name, error: known.toShape() });
  };
  const copy = async ({ name, job }: Task): Promise<void> => {
    try {
      const result = await copier.copy({
        ...(await job()),
        admit,
        progress: board.begin(name),
        signal: controller.signal,
      });
      sent += result.bytes;
      ended.push({ image: name, ...result });
      board.succeeded(name, result);
    } catch (error) {
      fail(name, error);
    }
  };
  try {
    const tasks = (
      await Promise.all(
        list.images.map(async (image) => {
          try {
            return await tasksOf(registries, list, image);
          } catch (error) {
            fail(image.from, error);
            return [];
          }
        }),
      )
    ).flat();
    board.expect(tasks.length + ended.length);
    const queue = tasks.values();
    const worker = async (): Promise<void> => {
      for (const task of queue) if (!controller.signal.aborted) await copy(task);
    };
    await Promise.all(Array.from({ length: list.parallel }, worker));
    if (tasks.length > ended.length) failed += tasks.length - ended.length;
  } finally {
    board.stop();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
  if (options.format === 'json') writeJson(output, { images: ended, failed });
  else
    output.writeError(
      `${ended.length - failed} of ${ended.length} images there, ${bytes(sent)} sent in ${duration(board.elapsedMs)}\n`,
    );
  return failed === 0;
}

/** The images that one entry means: its tags are looked up here, once. */
async function tasksOf(registries: Registries, list: SyncFile, image: SyncImage): Promise<Task[]> {
  const location = parseLocation(image.from);
  if (location.kind === 'archive') {
    if (image.to === undefined)
      throw new LiftlockError(
        'invalid_request',
        `${image.from}: an archive needs to be told where to (to: REGISTRY/NAME:TAG)`,
      );
    return [taskOf(registries, image, image.from, image.to)];
  }
  const from = parseRepository(image.from.replace(/^docker:\/\//, ''));
  const to =
    image.to ?? (list.target === undefined ? undefined : `${list.target}/${from.repository}`);
  if (to === undefined)
    throw new LiftlockError(
      'invalid_request',
      `${image.from}: neither it nor the list says where to (to: or target:)`,
    );
  if (from.digest !== undefined) return [taskOf(registries, image, image.from, to)];
  const looked =
    image.match !== undefined || image.semver !== undefined || image.newest !== undefined;
  const tags = looked
    ? selectTags(await registries.repository(from).tags(), image)
    : (image.tags ?? [from.tag ?? 'latest']);
  if (tags.length === 0)
    throw new LiftlockError(
      'image_missing',
      `${image.from} has no tag that is meant: liftlock mirror tags ${image.from} lists them`,
    );
  return tags.map((tag) =>
    taskOf(registries, image, formatReference({ ...from, tag }), `${to}:${tag}`),
  );
}

function taskOf(registries: Registries, image: SyncImage, from: string, to: string): Task {
  const target = parseReference(to);
  return {
    name: formatReference(target),
    job: async () => ({
      ...(await openSource(registries, from)),
      target: registries.repository(target, 'push'),
      tags: [target.tag ?? 'latest'],
      platforms: image.platforms?.map(parsePlatform),
      referrers: image.referrers,
    }),
  };
}
