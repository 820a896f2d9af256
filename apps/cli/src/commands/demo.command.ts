import { Command } from 'commander';
import { fleetFolder, interruptible } from '#fleet';
import { Demo } from '../demo/demo.js';
import { readEnv } from '../env.js';
import type { Output } from '../output.js';
import { COMPOSE_OPTION } from './up.command.js';
import { coloursOf } from '../show/colours.js';

export function demoCommand(output: Output): Command {
  return new Command('demo')
    .description(
      'upgrade a real container with data, twice: to a version that works, and to one that is let down again',
    )
    .option(...COMPOSE_OPTION)
    .action(async ({ compose }: { compose?: true }) => {
      const colours = coloursOf(output.isTerminal && readEnv().colours);
      await interruptible(
        (signal) =>
          Demo.run({
            ...{ output, colours, signal, folder: fleetFolder(), compose: compose === true },
          }),
        () => output.writeError('interrupted: the next demo begins anew\n'),
      );
    });
}
