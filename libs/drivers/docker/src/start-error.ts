import { LiftlockError } from '#kernel';
import { nameOf, type ContainerInfo } from './engine.js';

/** Why a container could not be started, with what to do where that is known. */
export function startError(
  error: LiftlockError,
  container: Pick<ContainerInfo, 'Id' | 'Name'>,
): LiftlockError {
  if (error.code === 'port_taken') return portTaken(error);
  if (/task \S+: already exists/.test(error.message)) return taskLeft(error, container);
  return error;
}

function portTaken(error: LiftlockError): LiftlockError {
  const address = /(?:Bind for|listen \w+) (\S+?):? /.exec(error.message)?.[1];
  const port = address ?? 'a published port';
  return new LiftlockError(
    'port_taken',
    `${port} is taken by something else on that host; see what listens there, end it, and try again (${error.message})`,
    { cause: error.cause, details: { ...error.details, address } },
  );
}

/** An engine that was killed in the middle of a start finds the container stopped, and its containerd a task of it: neither removes that. */
function taskLeft(
  error: LiftlockError,
  container: Pick<ContainerInfo, 'Id' | 'Name'>,
): LiftlockError {
  return new LiftlockError(
    'target_refused',
    `the engine was killed while it started ${nameOf(container)}, and has kept something of that start which no call of it removes: on that host end ` +
      `the process of it (pkill -9 -f '[c]ontainerd-shim.*${container.Id}'), or reboot, and try again (${error.message})`,
    { cause: error.cause, details: { ...error.details } },
  );
}
