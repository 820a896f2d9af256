import { CommanderError, type Command } from 'commander';
import { EXIT } from './exit-codes.js';
import { explainError } from './explain-error.js';
import type { Output } from './output.js';

/** Sets the exit code of the run; a command that says nothing has succeeded. */
export type SetExit = (code: number) => void;

/** Runs one command line and returns the exit code. Errors are lines on standard error that say what to do. */
export async function runCommand(
  make: (setExit: SetExit) => Command,
  args: readonly string[],
  output: Output,
): Promise<number> {
  let code: number = EXIT.succeeded;
  const root = make((value) => (code = value));
  inherit(root);
  try {
    await root.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.succeeded : EXIT.usage;
    if (isInterrupted(error)) return error.exitCode;
    return explainError(error, output);
  }
}

/** The fleet's error, known by its name: not every command loads the fleet. */
function isInterrupted(error: unknown): error is Error & { readonly exitCode: number } {
  return error instanceof Error && error.name === 'Interrupted' && 'exitCode' in error;
}

/** Commander gives these settings to commands that it makes itself, not to those that are added. */
function inherit(command: Command): void {
  for (const sub of command.commands) {
    sub.copyInheritedSettings(command);
    inherit(sub);
  }
}
