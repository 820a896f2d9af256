import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { rootFolder } from '#fleet';
import { LiftlockError } from '#kernel';
import type { SetExit } from '../run-command.js';

/** Each bench is a folder below bench/ with a main.ts: it prints one line of JSON a case and exits 1 when one does not hold. */
export function benchCommand(setExit: SetExit): Command {
  return new Command('bench')
    .description('measure beside a named peer, in pairs; exit code 1 when a bar is missed')
    .argument('<name>', `one of: ${benches().join(', ')}`)
    .argument('[args...]', 'arguments of the bench')
    .action(async (name: string, args: string[]) => {
      if (!benches().includes(name))
        throw new LiftlockError(
          'invalid_request',
          `there is no bench ${name}: there are ${benches().join(', ')}`,
        );
      setExit(await run(join(rootFolder(), 'dist', 'bench', name, 'main.js'), args));
    });
}

function benches(): string[] {
  const folder = join(rootFolder(), 'bench');
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => existsSync(join(folder, name, 'main.ts')));
}

function run(file: string, args: readonly string[]): Promise<number> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, ['--enable-source-maps', file, ...args], {
      cwd: rootFolder(),
      stdio: 'inherit',
    });
    // Ctrl-C reaches the whole group: the bench cleans up, then we end with it
    const wait = (): void => undefined;
    process.on('SIGINT', wait);
    child.once('error', fail);
    child.once('exit', (code) => {
      process.off('SIGINT', wait);
      done(code ?? 1);
    });
  });
}
