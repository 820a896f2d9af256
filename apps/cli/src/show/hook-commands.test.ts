import { describe, expect, it } from 'vitest';
import { ACTIONS, type ActionName, type Step } from '#contracts';
import { commandsOf } from './step-commands.js';

const step = (action: ActionName, input: object): Step => ({
  ...{ id: 's', title: 's', phase: 'execute', action, app: 'executor', undo: 'none_needed' },
  target: { name: 'one', driver: 'docker', site: 'main', endpoint: 'unix:///a' },
  input: JSON.parse(JSON.stringify(ACTIONS[action].input.parse(input))) as Step['input'],
  ...{ timeoutSeconds: 60, observable: true, repeatable: false },
  retry: { maxAttempts: 1, backoffSeconds: 1, maxBackoffSeconds: 1 },
});
const http = (more: object): string =>
  commandsOf(step('hook.http', { work: { type: 'http', url: 'http://lb/drain', ...more } })).join();
const job = (more: object): string =>
  commandsOf(
    step('hook.job', {
      ...{ container: 'web', image: { reference: 'tools:1', id: `sha256:${'a'.repeat(64)}` } },
      work: { type: 'job', command: ['migrate'], ...more },
    }),
  ).join();

describe('a hook by hand', () => {
  it('a job that names no network is in the instance’s own, as when the executor runs it', () => {
    expect(job({})).toContain(
      `--network "$(docker -H unix:///a container inspect --format '{{.HostConfig.NetworkMode}}' web)" sha256:aaaa`,
    );
    expect(job({ network: 'none' })).toContain('run --rm --network none sha256:');
  });

  it('a body is sent as it stands, and HEAD waits for none', () => {
    expect(http({ body: '@/etc/passwd' })).toContain('-X POST --data-raw "@/etc/passwd" ');
    expect(http({ method: 'HEAD' })).toContain(' --head http://lb/drain ');
  });

  it('an edit of one line needs no editor, and one of several that follow one another is a person’s', () => {
    const commands = commandsOf(
      step('hook.edit', {
        container: 'web',
        work: {
          ...{ type: 'edit', path: '/etc/web/my settings' },
          replace: [
            { line: "it's $A", with: ['b', 'c'] },
            { line: ['b', 'c'], with: 'b' },
          ],
        },
      }),
    );
    expect(commands[0]).toContain(
      `--volumes-from web -e 'F=/etc/web/my settings' -e 'A=it'\\''s $A' -e 'B=b\nc' "$HELPER" sh -c `,
    );
    expect(commands[1]).toContain(
      `"$HELPER" vi '/etc/web/my settings'   # in place of "b\\nc" write "b"`,
    );
  });
});
