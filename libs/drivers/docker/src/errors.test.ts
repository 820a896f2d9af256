import { describe, expect, it } from 'vitest';
import { engineError } from './errors.js';

const engine = { name: 'host', endpoint: 'unix:///run/docker.sock' };
const answered = (message: string): ReturnType<typeof engineError> =>
  engineError(engine, 'stopping the container web', {
    statusCode: 500,
    message: `(HTTP code 500) server error - ${message} `,
  });

describe('what an engine answers with 500', () => {
  it.each([
    'Cannot update container c0ffee: ttrpc: closed: unknown',
    'Cannot update container c0ffee: /run/x/runc did not terminate successfully: exit status 1: container not running: unknown',
    'tried to kill container, but did not receive an exit event',
    'driver "overlay2" failed to remove root filesystem: unlinkat merged: device or resource busy',
  ])('is tried again where it is of a moment only: %s', (words) => {
    const { code, retryable, message } = answered(words);
    expect({ code, retryable }).toEqual({ code: 'target_refused', retryable: true });
    expect(message).toContain('stopping the container web on host failed');
  });

  it('is tried again where a name is taken: it may be by what an attempt that has gone asked for', () => {
    const { code, retryable } = answered(
      'Conflict. The container name "/web" is already in use by container "c0ffee".',
    );
    expect({ code, retryable }).toEqual({ code: 'not_empty', retryable: true });
  });

  it('is not, where it will say the same again', () => {
    const { code, retryable } = answered('OCI runtime create failed: exec: "nothing": not found');
    expect({ code, retryable }).toEqual({ code: 'target_refused', retryable: false });
  });
});
