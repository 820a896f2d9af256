import { Command } from 'commander';
import { runDown } from '#fleet';
import { line, type Output } from '../output.js';
import type { SetExit } from '../run-command.js';

export function downCommand(output: Output, setExit: SetExit): Command {
  return new Command('down')
    .description('stop the embedded fleet; data is kept')
    .action(async () => setExit(await runDown({ log: line(output) })));
}
