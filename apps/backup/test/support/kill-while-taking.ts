import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { RUN_NEST_SOURCE } from '../../../../test/support/run-source.js';
import type { S3Server } from '../../../../test/support/s3-server.js';
import type { SnapshotInput } from '../../src/snapshot.service.js';
import type { BackupStage, Scene } from './backup-stage.js';

const CHILD = fileURLToPath(new URL('./killed-while-taking.ts', import.meta.url));

export interface Asked {
  readonly database: string;
  readonly root: string;
  readonly endpoint: string;
  readonly upgrade: string;
  readonly application: string;
  readonly input: SnapshotInput;
  /** Bytes of the archive that are read before it stands still; default: it never begins to read. */
  readonly stallsAfter?: number | undefined;
  /** The repository; default: the folder `root`. */
  readonly bucket?: Pick<S3Server, 'bucket' | 'endpoint' | 'keys'> | undefined;
}

/**
 * Another process takes the snapshot, stands still in it, and is killed by SIGKILL.
 * @param isFar awaited when it stands still
 */
export async function killWhileTaking(
  stage: BackupStage,
  scene: Scene,
  more: Pick<SnapshotInput, 'consistency' | 'stop' | 'hooks'>,
  where: Pick<Asked, 'stallsAfter' | 'bucket'> = {},
  isFar: () => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const { upgrade, application } = scene.attempt();
  const asked: Asked = {
    ...{ database: stage.databaseUrl, root: stage.root, endpoint: stage.endpoint },
    ...{ upgrade, application, input: { ...scene.input, ...more }, ...where },
  };
  const child = spawn(process.execPath, [...RUN_NEST_SOURCE, CHILD, JSON.stringify(asked)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  try {
    let said = '';
    for await (const chunk of child.stdout) {
      said += String(chunk);
      if (said.includes('reading')) break;
    }
    if (!said.includes('reading')) throw new Error(`it ended before it read: ${said}`);
    await isFar();
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}
