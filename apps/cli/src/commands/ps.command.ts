import { Command, Option } from 'commander';
import { psRows, runPs } from '#fleet';
import { line, type Format, type Output } from '../output.js';
import type { SetExit } from '../run-command.js';

export function psCommand(output: Output, setExit: SetExit): Command {
  return new Command('ps')
    .description('the processes of the embedded fleet; exit code 1 when one does not run')
    .addOption(
      new Option('-o, --output <format>', 'text or json').choices(['text', 'json']).default('text'),
    )
    .action(async ({ output: format }: { output: Format }) => {
      if (format === 'text') {
        setExit(await runPs({ log: line(output) }));
        return;
      }
      const rows = await psRows();
      output.write(`${JSON.stringify(rows, undefined, 2)}\n`);
      setExit(rows.length > 0 && rows.every(({ status }) => status === 'running') ? 0 : 1);
    });
}
