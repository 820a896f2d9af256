import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { LiftlockError, waitFor } from '#kernel';

const DEADLINE_MS = 20_000;

/**
 * Runs `work` while no other process (nor anyone in this one) holds the folder. The lock is a socket's name in Linux' abstract
 * namespace: the kernel lets go of it with the process, so that a killed holder leaves nothing behind.
 */
export async function withFolderLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const digest = createHash('sha256')
    .update(await realpath(folder))
    .digest('hex');
  const held = await waitFor(() => tryListen(`\0liftlock-model-${digest}`), {
    what: `the lock of the model target ${folder}`,
    deadlineMs: DEADLINE_MS,
    everyMs: 2,
  });
  try {
    return await work();
  } finally {
    await new Promise((resolve) => held.close(resolve));
  }
}

function tryListen(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(LiftlockError.from(error));
    });
    server.listen(name, () => resolve(server));
  });
}
