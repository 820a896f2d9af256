import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EphemeralFile } from '#contracts';
import { TextSecrets } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { env } from './env.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'liftlock-secrets-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (content: string): EphemeralFile => ({
  ...{ path: '/data/x', mode: '0600', uid: 0, gid: 0, content },
});
const secrets = (variables: Record<string, string> = {}): TextSecrets =>
  new TextSecrets({ variables, folder });

describe('the secrets of a file', () => {
  it('come from the environment or from a file, which goes first and loses one line end', async () => {
    const known = secrets({ LIFTLOCK_SECRET_A: 'from the environment', LIFTLOCK_SECRET_B: 'old' });
    writeFileSync(join(folder, 'LIFTLOCK_SECRET_B'), 'new\n\n');
    const [resolved] = await known.resolve([
      file('a=${LIFTLOCK_SECRET_A}\nb=${LIFTLOCK_SECRET_B}|\na=${LIFTLOCK_SECRET_A}'),
    ]);
    expect(resolved?.content).toBe('a=from the environment\nb=new\n|\na=from the environment');
  });

  it('are put in as they are: neither `$&` nor what looks like another reference is read again', async () => {
    const known = secrets({
      LIFTLOCK_SECRET_A: '$& $1 ${LIFTLOCK_SECRET_B}',
      LIFTLOCK_SECRET_B: 'never',
    });
    const [resolved] = await known.resolve([file('${LIFTLOCK_SECRET_A}')]);
    expect(resolved?.content).toBe('$& $1 ${LIFTLOCK_SECRET_B}');
  });

  it('that are unknown are named, all of them, with where to put them, and no value of another one', async () => {
    const known = secrets({ LIFTLOCK_SECRET_A: 'hunter2' });
    const text = '${LIFTLOCK_SECRET_A} ${LIFTLOCK_SECRET_B} ${LIFTLOCK_SECRET_C}';
    const error = await known.resolve([file(text)]).then(
      () => undefined,
      (thrown: unknown) => LiftlockError.from(thrown),
    );
    expect(error).toMatchObject({ code: 'misconfigured', retryable: false });
    expect(error?.message).toContain('LIFTLOCK_SECRET_B, LIFTLOCK_SECRET_C');
    expect(error?.message).toContain(folder);
    expect(JSON.stringify(error?.toShape())).not.toContain('hunter2');
  });
});

it('of the environment only what is named so may be put into a file', () => {
  const parsed = env.parse({
    ...{ DATABASE_URL: 'postgres://executor@localhost/x', NATS_URL: 'nats://localhost' },
    ...{ NATS_USER: 'executor', NATS_PASSWORD: 'p', PORT: '1', LIFTLOCK_DATA: '/var/lib/x' },
    ...{ REDIS_URL: 'redis://localhost', LIFTLOCK_SECRET_A: 'a', LIFTLOCK_SECRETA: 'b' },
    LIFTLOCK_DRIVERS: 'docker,model',
  });
  expect(parsed.secrets).toEqual({
    variables: { LIFTLOCK_SECRET_A: 'a' },
    folder: '/var/lib/x/secrets',
  });
  expect(parsed.LIFTLOCK_DRIVERS).toEqual(['docker', 'model']);
});
