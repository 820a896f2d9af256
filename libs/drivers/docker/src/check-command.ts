import type { Check } from '#contracts';
import { CommandVerdict, type Look } from '#drivers/core';
import { nameOf, type ContainerInfo, type Engine } from './engine.js';
import { execute } from './exec.js';

type CommandCheck = Extract<Check, { type: 'command' }>;

/** A command inside the container, without a shell; its exit code, and what it prints. */
export function commandLook(engine: Engine, wanted: CommandCheck): Look<ContainerInfo> {
  const verdict = new CommandVerdict(wanted);
  return async (container, signal) => {
    const result = await execute(engine, container.Id, { command: wanted.command }, signal);
    return verdict.of(nameOf(container), result);
  };
}
