import { pack } from 'tar-stream';
import { Readable } from 'node:stream';
import type { StepContext } from '#drivers/core';
import type { Engine } from './engine.js';
import { collectTools, type HelperTools } from './helper-tools.js';
import { follow } from './engine-progress.js';
import { LABELS } from './labels.js';

/**
 * The image of helper containers: built once per engine and content, found again later, also by another process. It stays when an
 * upgrade ends: another upgrade, of another Liftlock process, may be about to use it, and the next one need not build it.
 */
export class HelperImages {
  private tools: Promise<HelperTools> | undefined;
  private readonly building = new Map<Engine, Promise<string>>();
  private readonly seen = new WeakMap<Engine, string>();

  /** Its ID, as it was seen last: by now it may have been removed. */
  async seenLast(engine: Engine, context: StepContext): Promise<string> {
    return this.seen.get(engine) ?? this.of(engine, context);
  }

  /** Its ID. */
  async of(engine: Engine, context: StepContext): Promise<string> {
    const tools = await this.collected();
    const reference = `liftlock-helper:${tools.hash}`;
    const found = await engine.inspectImage(reference, context.signal);
    if (found === undefined) await context.guard();
    const id = found?.Id ?? (await this.build(engine, context, tools, reference));
    this.seen.set(engine, id);
    return id;
  }

  /** What this machine has; looked for again after a failure: a package may have been installed. */
  collected(): Promise<HelperTools> {
    this.tools ??= collectTools();
    this.tools.catch(() => (this.tools = undefined));
    return this.tools;
  }

  /** Two steps at the same time build once. */
  private async build(
    engine: Engine,
    context: StepContext,
    tools: HelperTools,
    reference: string,
  ): Promise<string> {
    const known = this.building.get(engine);
    if (known !== undefined) return known;
    const building = importImage(engine, context, tools, reference);
    this.building.set(engine, building);
    try {
      return await building;
    } finally {
      this.building.delete(engine);
    }
  }
}

async function importImage(
  engine: Engine,
  context: StepContext,
  tools: HelperTools,
  reference: string,
): Promise<string> {
  context.log(`building the helper image ${reference}`);
  const [repo = '', tag = ''] = reference.split(':');
  // not the step's signal: whoever else waits for this build must not fail with it
  const answer = await engine.call('building the helper image', undefined, (docker) =>
    docker.importImage(rootFilesystem(tools), {
      repo,
      tag,
      message: 'Reads and writes data of containers for Liftlock',
      changes: [`LABEL ${LABELS.role}=helper`],
    } as object),
  );
  const signal = new AbortController().signal;
  await follow(
    engine,
    { signal, log: () => undefined },
    answer as Readable,
    'building the helper image',
  );
  const built = await engine.inspectImage(reference);
  if (built === undefined) throw new Error(`the engine imported ${reference} and does not know it`);
  return built.Id;
}

function rootFilesystem(tools: HelperTools): Readable {
  const tar = pack();
  const made = new Set<string>();
  for (const { path, content } of tools.files) {
    for (const folder of foldersOf(path)) {
      if (made.has(folder)) continue;
      made.add(folder);
      tar.entry({ name: `${folder}/`, type: 'directory', mode: 0o755, mtime: new Date(0) });
    }
    tar.entry({ name: path, mode: 0o755, mtime: new Date(0) }, content);
  }
  tar.finalize();
  return Readable.from(tar);
}

/** `a/b/c` → `a`, `a/b` */
function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, i) => parts.slice(0, i + 1).join('/'));
}
