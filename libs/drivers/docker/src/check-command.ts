import type { Check } from '#contracts';
import { failure, seen, type Look } from './check-look.js';
import { nameOf, type Engine } from './engine.js';
import { execute } from './exec.js';

type CommandCheck = Extract<Check, { type: 'command' }>;

/** A command inside the container, without a shell; its exit code, and what it prints. */
export function commandLook(engine: Engine, wanted: CommandCheck): Look {
  const pattern = wanted.stdout === undefined ? undefined : new RegExp(wanted.stdout, 'm');
  const failing = wanted.failPatterns.map((one) => new RegExp(one, 'm'));
  const name = wanted.command[0] ?? '';
  return async (container, signal) => {
    const { exitCode, stdout, stderr } = await execute(
      engine,
      container.Id,
      { command: wanted.command },
      signal,
    );
    const [bad] = [stdout, stderr].flatMap((output) => lineThatMatches(output, failing) ?? []);
    if (bad !== undefined) {
      throw failure(`${name} in ${nameOf(container)} says that it failed: ${bad.slice(0, 500)}`, {
        container: nameOf(container),
        line: bad,
      });
    }
    if (exitCode !== wanted.exitCode) {
      const said = stderr === '' ? stdout : stderr;
      return seen(
        false,
        `${name} in ${nameOf(container)} ended with ${exitCode}, not ${wanted.exitCode}${said === '' ? '' : `: ${said.slice(-500)}`}`,
      );
    }
    if (pattern !== undefined && !pattern.test(stdout))
      return seen(
        false,
        `${name} printed nothing that matches ${wanted.stdout}: ${stdout.slice(-500)}`,
      );
    return seen(true, `${name} ended with ${exitCode}`);
  };
}

/** The line that a pattern was found in: what went wrong, in the container's own words. */
function lineThatMatches(output: string, patterns: readonly RegExp[]): string | undefined {
  for (const pattern of patterns) {
    const found = pattern.exec(output);
    if (found === null) continue;
    const begin = output.lastIndexOf('\n', found.index - 1) + 1;
    const end = output.indexOf('\n', found.index);
    return output.slice(begin, end < 0 ? undefined : end).trim();
  }
  return undefined;
}
