import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { rootFolder } from '#fleet';
import { actionCommands } from './commands/action.commands.js';
import { adoptCommand } from './commands/adopt.command.js';
import { applyCommand } from './commands/apply.command.js';
import { backupsCommand } from './commands/backups.command.js';
import { deleteCommand } from './commands/delete.command.js';
import { diffCommand } from './commands/diff.command.js';
import { doctorCommand } from './commands/doctor.command.js';
import { eventsCommand } from './commands/events.command.js';
import { explainCommand } from './commands/explain.command.js';
import { getCommand } from './commands/get.command.js';
import { logsCommand } from './commands/logs.command.js';
import { pathsCommand } from './commands/paths.command.js';
import { mirrorCommand } from './commands/mirror.command.js';
import { planCommand } from './commands/plan.command.js';
import { statusCommand } from './commands/status.command.js';
import { tokenCommand } from './commands/token.command.js';
import { upgradeCommand } from './commands/upgrade.command.js';
import { upgradesCommand } from './commands/upgrades.command.js';
import { watchCommand } from './commands/watch.command.js';
import { benchCommand } from './commands/bench.command.js';
import { demoCommand } from './commands/demo.command.js';
import { downCommand } from './commands/down.command.js';
import { psCommand } from './commands/ps.command.js';
import { testCommand } from './commands/test.command.js';
import { upCommand } from './commands/up.command.js';
import { processOutput, type Output } from './output.js';
import { runCommand, type SetExit } from './run-command.js';

function program(output: Output, setExit: SetExit): Command {
  const root = new Command('liftlock')
    .description(
      'Raises a running fleet of containers from one version to the next, and lets it down again.',
    )
    .version(version(), '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({ writeOut: output.write, writeErr: output.writeError })
    .showHelpAfterError('(liftlock --help shows what there is)')
    .commandsGroup('This machine:')
    .addCommand(demoCommand(output))
    .addCommand(upCommand(output, setExit))
    .addCommand(downCommand(output, setExit))
    .addCommand(psCommand(output, setExit))
    .addCommand(doctorCommand(output, setExit))
    .commandsGroup('Upgrades:')
    .addCommand(adoptCommand(output))
    .addCommand(applyCommand(output, setExit))
    .addCommand(getCommand(output))
    .addCommand(diffCommand(output, setExit))
    .addCommand(deleteCommand(output))
    .addCommand(explainCommand(output))
    .addCommand(pathsCommand(output))
    .addCommand(planCommand(output))
    .addCommand(upgradeCommand(output, setExit))
    .addCommand(upgradesCommand(output))
    .addCommand(statusCommand(output, setExit))
    .addCommand(watchCommand(output, setExit))
    .addCommand(eventsCommand(output))
    .addCommand(logsCommand(output))
    .addCommand(backupsCommand(output, setExit))
    .commandsGroup('Decisions:');
  for (const command of actionCommands(output, setExit)) root.addCommand(command);
  return root
    .commandsGroup('Images:')
    .addCommand(mirrorCommand(output, setExit))
    .commandsGroup('Administration and development:')
    .addCommand(tokenCommand(output))
    .addCommand(testCommand(output, setExit))
    .addCommand(benchCommand(setExit));
}

/** Runs one command line and returns the exit code. */
export function runCli(args: readonly string[], output: Output = processOutput()): Promise<number> {
  return runCommand((setExit) => program(output, setExit), args, output);
}

function version(): string {
  const text = readFileSync(join(rootFolder(), 'package.json'), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}
