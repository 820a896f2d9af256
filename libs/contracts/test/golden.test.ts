import { describe, expect, it } from 'vitest';
import { COMMANDS, EVENT_TYPES, PROGRESS, QUERIES } from '#contracts';
import { goldenCommands } from './golden-commands.js';
import { goldenEvents } from './golden-events.js';
import { goldenProgress } from './golden-progress.js';
import { goldenQueries } from './golden-queries.js';
import { asText, store, stored, storedPaths, WRITE } from './golden.js';

const goldens = [...goldenCommands(), ...goldenQueries(), ...goldenEvents(), ...goldenProgress()];
if (WRITE) for (const golden of goldens) store(golden);

const hasFile = (message: string): boolean =>
  storedPaths().some((path) => path.startsWith(`${message}.`));

describe('the wire format', () => {
  it.each(goldens)('$path is what the code makes, byte for byte', ({ path, text }) => {
    expect(
      stored(path),
      `${path} is not there: LIFTLOCK_GOLDEN=write vitest run libs/contracts makes it`,
    ).toBeDefined();
    expect(
      text,
      'an older service does not read what this one makes: give the message a new version',
    ).toBe(stored(path));
  });

  it.each(goldens)('$path is read, and nothing of it is lost', ({ path, read }) => {
    const text = stored(path) ?? '';
    expect(asText(read(JSON.parse(text)))).toBe(text);
  });

  it.each([
    ...Object.values(COMMANDS).map(({ name, version }) => `commands/${name}.v${version}`),
    ...Object.values(QUERIES).flatMap(({ name, version }) => [
      `queries/${name}.v${version}.request`,
      `queries/${name}.v${version}.reply`,
    ]),
    ...EVENT_TYPES.map((type) => `events/${type}.v1`),
    ...Object.values(PROGRESS).map(({ name, version }) => `progress/${name}.v${version}`),
  ])('%s has a golden file', (message) => {
    expect(hasFile(message)).toBe(true);
  });

  it('has no golden file of a message that nothing makes', () => {
    expect(storedPaths()).toEqual(goldens.map(({ path }) => path).sort());
  });
});
