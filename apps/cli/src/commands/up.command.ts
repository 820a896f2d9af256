import { Command } from 'commander';
import { runUp } from '#fleet';
import { line, type Output } from '../output.js';
import type { SetExit } from '../run-command.js';

export const COMPOSE_OPTION = [
  '--compose',
  'PostgreSQL, NATS and Redis as containers of Docker Compose, also where they are or could be installed',
] as const;

export function upCommand(output: Output, setExit: SetExit): Command {
  return new Command('up')
    .description('start the embedded fleet; data stays in .liftlock/')
    .option('--docker', 'also a Docker Engine: the one that runs, else a private one')
    .option(...COMPOSE_OPTION)
    .action(async ({ docker, compose }: { docker?: true; compose?: true }) => {
      setExit(
        await runUp({ docker: docker === true, compose: compose === true, log: line(output) }),
      );
    });
}
