import { describe, expect, it } from 'vitest';
import { ACTIONS, type Step } from '#contracts';
import { commandsOf } from './step-commands.js';

function commands(action: 'data.snapshot' | 'data.restore', more: object = {}): string {
  const input = ACTIONS[action].input.parse({
    ...{ container: 'shop/StatefulSet/postgres/db', containerId: 'uid', keptName: 'kept' },
    ...{ backup: 'h1-db', paths: ['/var/lib/data'], ...more },
    ...(action === 'data.snapshot' ? { consistency: 'stopped' } : {}),
  });
  const step: Step = {
    ...{ id: 'h1/w1/db@north/2-data', title: 'data', phase: 'execute', action, app: 'backup' },
    target: { name: 'one', driver: 'kubernetes', site: 'main', endpoint: 'https://10.0.0.7:6443' },
    input: JSON.parse(JSON.stringify(input)) as Step['input'],
    ...{ undo: 'none_needed', timeoutSeconds: 60, observable: true, repeatable: false },
    retry: { maxAttempts: 1, backoffSeconds: 1, maxBackoffSeconds: 1 },
  };
  return commandsOf(step).join('\n');
}

describe('data of a workload, by hand', () => {
  it.each(['data.snapshot', 'data.restore'] as const)(
    '%s goes through a pod that mounts what its pods do',
    (action) => {
      const text = commands(action);
      expect(text).toContain('kubectl -s https://10.0.0.7:6443 -n shop get statefulset/postgres');
      expect(text).toMatch(/exec liftlock-by-hand (-i )?-- tar -C \/ /);
      expect(text).toContain('select(.name == "db")');
      expect(text).not.toContain('docker');
    },
  );

  it('on a share it is where that is mounted', () => {
    const text = commands('data.restore', { folder: '/mnt/share', paths: ['/db'] });
    expect(text).toContain('find /mnt/share/db -mindepth 1 -delete');
    expect(text).not.toContain('kubectl');
  });
});
