import { Command } from 'commander';
import { runTests } from '#fleet';
import { line, type Output } from '../output.js';
import type { SetExit } from '../run-command.js';

export function testCommand(output: Output, setExit: SetExit): Command {
  return new Command('test')
    .description('run every test against real servers and a real Docker Engine')
    .argument('[filter...]', 'parts of file names, and other arguments of Vitest after --')
    .option('--project <name...>', 'small, medium or fleet; default all')
    .action(async (filter: string[], { project }: { project?: string[] }) => {
      setExit(
        await runTests(filter, {
          log: line(output),
          ...(project === undefined ? {} : { projects: project }),
        }),
      );
    });
}
