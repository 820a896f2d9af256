import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';

/** One place that something may have been written to. */
export interface Sink {
  readonly name: string;
  readonly content: Buffer;
}

/** A secret as it may look: as it is, in hex, and in base64 at any offset. */
function shapesOf(secret: string): Buffer[] {
  const bytes = Buffer.from(secret);
  const base64 = [0, 1, 2].map((offset) =>
    Buffer.concat([Buffer.alloc(offset, 'x'), bytes])
      .toString('base64')
      // what depends on what stands before and after is left out
      .slice(offset === 0 ? 0 : 4, -4),
  );
  return [secret, bytes.toString('hex'), ...base64].map((text) => Buffer.from(text));
}

/** Which secret is where. */
export function leaks(sinks: readonly Sink[], secrets: Readonly<Record<string, string>>): string[] {
  return Object.entries(secrets).flatMap(([name, secret]) => {
    const shapes = shapesOf(secret);
    return sinks
      .filter(({ content }) => shapes.some((shape) => content.includes(shape)))
      .map((sink) => `${name} in ${sink.name}`);
  });
}

/** Every file below a folder, links not followed; what is compressed is read, too. What goes meanwhile is left out: others work there. */
export function filesBelow(root: string, leaveOut: (path: string) => boolean): Sink[] {
  const found: Sink[] = [];
  const walk = (folder: string): void => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (!leaveOut(relative(root, path))) unlessGone(() => look(path));
    }
  };
  const look = (path: string): void => {
    const shown = relative(root, path);
    const stat = lstatSync(path);
    if (stat.isDirectory()) walk(path);
    else if (stat.isFile()) {
      const content = readFileSync(path);
      found.push({ name: shown, content });
      if (path.endsWith('.zst'))
        found.push({ name: `${shown} (unpacked)`, content: zstdDecompressSync(content) });
    }
  };
  walk(root); // which has to be there
  return found;
}

function unlessGone(look: () => void): void {
  try {
    look();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
