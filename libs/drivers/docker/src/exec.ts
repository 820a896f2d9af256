import { finished } from 'node:stream/promises';
import type { Duplex } from 'node:stream';
import { Tail } from '#drivers/data';
import type { Engine } from './engine.js';
import { FrameReader } from './frames.js';

/** Most of the output that is looked at, in characters. */
const OUTPUT_LIMIT = 64 * 1024;

export interface Execution {
  readonly command: readonly string[];
  /** `NAME=value`, beside the container's own. */
  readonly env?: readonly string[] | undefined;
  readonly user?: string | undefined;
}

/** Runs a command inside a container, without a shell. An abort ends the waiting, and not the command: engines cannot. */
export async function execute(
  engine: Engine,
  containerId: string,
  { command, env, user }: Execution,
  signal: AbortSignal,
): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const exec = await engine.call('running a command', signal, (docker, options) =>
    docker.getContainer(containerId).exec({
      Cmd: [...command],
      ...(env === undefined ? {} : { Env: [...env] }),
      ...(user === undefined ? {} : { User: user }),
      AttachStdout: true,
      AttachStderr: true,
      ...options,
    }),
  );
  const stream = await engine.call('running a command', signal, async () => {
    const started = (await exec.start({ hijack: true, stdin: false })) as unknown as Duplex;
    // too late for anybody to listen
    if (signal.aborted) started.destroy();
    return started;
  });
  const stdout = new Tail(OUTPUT_LIMIT);
  const stderr = new Tail(OUTPUT_LIMIT);
  const frames = new FrameReader();
  stream.on('data', (chunk: Buffer) =>
    frames.push(chunk, (isError, piece) => (isError ? stderr : stdout).add(piece)),
  );
  const end = (): void => void stream.destroy();
  signal.addEventListener('abort', end, { once: true });
  try {
    await engine.call('running a command', signal, () => finished(stream, { writable: false }));
    const { ExitCode } = await engine.call('running a command', signal, (_docker, options) =>
      exec.inspect({ ...options }),
    );
    return { exitCode: ExitCode ?? -1, stdout: stdout.toString(), stderr: stderr.toString() };
  } finally {
    signal.removeEventListener('abort', end);
    stream.destroy();
  }
}
