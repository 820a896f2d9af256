import type { Check } from '#contracts';
import { failure, seen, type Seen } from './check-look.js';

type CommandCheck = Extract<Check, { type: 'command' }>;

/** What a command that ended gave. */
export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What results of a check's command mean: its exit code, and what it prints. */
export class CommandVerdict {
  private readonly pattern: RegExp | undefined;
  private readonly failing: readonly RegExp[];
  private readonly command: string;

  constructor(private readonly wanted: CommandCheck) {
    this.pattern = wanted.stdout === undefined ? undefined : new RegExp(wanted.stdout, 'm');
    this.failing = wanted.failPatterns.map((one) => new RegExp(one, 'm'));
    this.command = wanted.command[0] ?? '';
  }

  /** @param where it ran, as people name it. @throws LiftlockError `check_failed` where no later run can pass */
  of(where: string, { exitCode, stdout, stderr }: CommandResult): Seen {
    const { wanted, command } = this;
    const [bad] = [stdout, stderr].flatMap((output) => lineThatMatches(output, this.failing) ?? []);
    if (bad !== undefined) {
      throw failure(`${command} in ${where} says that it failed: ${bad.slice(0, 500)}`, {
        container: where,
        line: bad,
      });
    }
    if (exitCode !== wanted.exitCode) {
      const said = stderr === '' ? stdout : stderr;
      return seen(
        false,
        `${command} in ${where} ended with ${exitCode}, not ${wanted.exitCode}${said === '' ? '' : `: ${said.slice(-500)}`}`,
      );
    }
    if (this.pattern !== undefined && !this.pattern.test(stdout))
      return seen(
        false,
        `${command} printed nothing that matches ${wanted.stdout}: ${stdout.slice(-500)}`,
      );
    return seen(true, `${command} ended with ${exitCode}`);
  }
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
