import type Docker from 'dockerode';
import { waitFor } from '#kernel';

/** Until the second is over in which it was started: what an engine notes in whole seconds can then be told from it. */
export async function startSecondIsOver(container: Docker.Container): Promise<void> {
  const { State } = await container.inspect();
  const over = (Math.floor(Date.parse(State.StartedAt) / 1_000) + 1) * 1_000;
  await waitFor(() => Date.now() >= over, {
    ...{ what: 'the second of its start is over', deadlineMs: 60_000 },
  });
}
