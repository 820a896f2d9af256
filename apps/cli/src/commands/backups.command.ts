import { Command } from 'commander';
import type { Output } from '../output.js';
import { runCreate, runRestore, type ByHandOptions } from '../backups/run-by-hand.js';
import { runList, type ListOptions } from '../backups/run-list.js';
import { runPrune, type PruneOptions } from '../backups/run-prune.js';
import { runShow, type SiteOptions } from '../backups/run-show.js';
import { runVerify } from '../backups/run-verify.js';
import { EXIT } from '../exit-codes.js';
import type { SetExit } from '../run-command.js';
import { apiCommand, wholeNumber } from './api-command.js';

export function backupsCommand(output: Output, setExit: SetExit): Command {
  return new Command('backups')
    .description('snapshots of data: where they are, whether they are whole, which may go')
    .addCommand(listCommand(output), { isDefault: true })
    .addCommand(createCommand(output, setExit))
    .addCommand(restoreCommand(output, setExit))
    .addCommand(showCommand(output, setExit))
    .addCommand(verifyCommand(output, setExit))
    .addCommand(pruneCommand(output, setExit));
}

function listCommand(output: Output): Command {
  return apiCommand('list')
    .description('snapshots of data, the newest first, and where they are')
    .option('--environment <name>')
    .option('--application <name>')
    .option('--upgrade <id>')
    .option('--site <name>', 'default: main')
    .option('--limit <number>', 'how many', wholeNumber(1, 500), 20)
    .action((options: ListOptions) => runList(options, output));
}

function createCommand(output: Output, setExit: SetExit): Command {
  return apiCommand('create')
    .description(
      'back up a component outside of an upgrade; what is stopped or paused for it goes on as soon as it was read. It goes on when this command is interrupted',
    )
    .argument('<what>', '<environment>/<application>/<component>, and /<target> for one instance')
    .option('--site <name>', 'default: main')
    .option('--key <key>', 'Idempotency-Key: the same key and request begin it once only')
    .action(async (what: string, options: ByHandOptions) => {
      if (!(await runCreate(what, options, output))) setExit(EXIT.failed);
    });
}

function restoreCommand(output: Output, setExit: SetExit): Command {
  return apiCommand('restore')
    .description(
      'put a backup back onto its instance, while nothing runs on the data; or into an empty folder of the backup service’s machine',
    )
    .argument('<upgrade>', 'id of the upgrade, or of the backup, that it was made for')
    .argument('<backup>', 'its name, as list shows it')
    .requiredOption('--to <place>', 'an absolute path, or <component>@<target>')
    .option('--site <name>', 'default: main')
    .option('--key <key>', 'Idempotency-Key: the same key and request begin it once only')
    .action(
      async (upgrade: string, backup: string, options: ByHandOptions & { readonly to: string }) => {
        if (!(await runRestore(upgrade, backup, options, output))) setExit(EXIT.failed);
      },
    );
}

function showCommand(output: Output, setExit: SetExit): Command {
  return apiCommand('show')
    .description('one backup, with what its manifest says of it')
    .argument('<upgrade>', 'id of the upgrade, or of the backup, that it was made for')
    .argument('<backup>', 'its name, as list shows it')
    .option('--site <name>', 'default: main')
    .action(async (upgrade: string, backup: string, options: SiteOptions) => {
      if (!(await runShow(upgrade, backup, options, output))) setExit(EXIT.failed);
    });
}

function verifyCommand(output: Output, setExit: SetExit): Command {
  return apiCommand('verify')
    .description('read all of it back and compare; the exit code is 1 when one is not as it was')
    .argument('<upgrade>', 'id of the upgrade, or of the backup, that it was made for')
    .argument('[backup]', 'its name, as list shows it; left out: all of the upgrade')
    .option('--site <name>', 'default: main')
    .action(async (upgrade: string, backup: string | undefined, options: SiteOptions) => {
      if (!(await runVerify(upgrade, backup, options, output))) setExit(EXIT.failed);
    });
}

function pruneCommand(output: Output, setExit: SetExit): Command {
  return apiCommand('prune')
    .description(
      'what retention would take, and why the rest stays; what one of the rules keeps stays. Nothing is deleted without --delete',
    )
    .option('--keep-last <number>', 'of each instance the newest', wholeNumber(1, 10_000))
    .option('--keep-days <number>', 'what is younger', wholeNumber(1, 36_500))
    .option(
      '--keep-releases <number>',
      'of the last releases that were upgraded to, the newest of each',
      wholeNumber(1, 10_000),
    )
    .option('--environment <name>')
    .option('--application <name>')
    .option('--site <name>', 'default: main')
    .option('--limit <number>', 'how many at once', wholeNumber(1, 500), 100)
    .option('--delete', 'delete what may go; what is needed by then stays', false)
    .action(async (options: PruneOptions) => {
      if (!(await runPrune(options, output))) setExit(EXIT.failed);
    });
}
