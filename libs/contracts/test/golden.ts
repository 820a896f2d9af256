import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A message as it looks on the wire, and the file that says so. */
export interface Golden {
  /** Under `libs/contracts/golden`. */
  readonly path: string;
  readonly text: string;
  /** Reads one with the catalogue's schema. @throws when it is not as the catalogue says. */
  read(value: unknown): unknown;
}

export const FOLDER = fileURLToPath(new URL('../golden', import.meta.url));

/** Set to `write`, the files are made anew: look at the difference before you commit it. */
export const WRITE = process.env.LIFTLOCK_GOLDEN === 'write';

export function asText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** @returns the file's bytes as text, or nothing when there is no such file. */
export function stored(path: string): string | undefined {
  const file = join(FOLDER, path);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

export function store({ path, text }: Golden): void {
  const file = join(FOLDER, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

export function storedPaths(): string[] {
  return readdirSync(FOLDER, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(FOLDER.length + 1))
    .sort();
}
