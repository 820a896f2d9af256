import { Command } from 'commander';
import { mirrorCommand } from './commands/mirror.command.js';
import { freeSocketBuffersSoon } from './mirror/socket-garbage.js';
import { processOutput, type Output } from './output.js';
import { runCommand } from './run-command.js';

/** The CLI with `mirror` only, for who calls just that. */
export function runCli(args: readonly string[], output: Output = processOutput()): Promise<number> {
  freeSocketBuffersSoon();
  return runCommand(
    (setExit) =>
      new Command('liftlock')
        .exitOverride()
        .configureOutput({ writeOut: output.write, writeErr: output.writeError })
        .showHelpAfterError('(liftlock --help shows what there is)')
        .addCommand(mirrorCommand(output, setExit)),
    args,
    output,
  );
}
