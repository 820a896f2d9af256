import { randomUUID } from 'node:crypto';
import { assertNever, LiftlockError, waitFor } from '#kernel';
import {
  historyEvent,
  isFinal,
  upgradeView,
  type DOCUMENT_COLLECTIONS,
  type HistoryEvent,
  type UpgradeAction,
  type UpgradeState,
  type UpgradeView,
} from '#contracts';
import { z } from 'zod';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** The fleet's HTTP API as a program uses it; a gateway that is just being killed is asked again. */
export class ApiClient {
  constructor(
    readonly url: string,
    readonly token: string,
    /** Milliseconds that a gateway, or a service behind it, may be away. */
    private readonly patienceMs = 60_000,
  ) {}

  async request(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const response = await fetch(new URL(path, this.url), {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        // one that is kept may be closed just then: by a gateway that waited for five seconds while this process stood still
        connection: 'close',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
  }

  /** A gateway or a service behind it that is away is asked again. */
  async insist(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer & { /** Answers before this one were lost. */ readonly isAgain: boolean }> {
    let asked = 0;
    return waitFor(
      async () => {
        asked += 1;
        const answer = await this.request(method, path, body, headers);
        if (answer.status >= 500)
          throw new LiftlockError('unavailable', JSON.stringify(answer.body));
        return { ...answer, isAgain: asked > 1 };
      },
      { what: `${method} ${path}`, deadlineMs: this.patienceMs, everyMs: 50 },
    );
  }

  async put(
    kind: keyof typeof DOCUMENT_COLLECTIONS,
    document: {
      readonly metadata: { readonly name: string; readonly namespace?: string };
      readonly [field: string]: unknown;
    },
  ): Promise<void> {
    const answer = await this.insist('PUT', `/v1/${kind}/${document.metadata.name}`, document);
    if (answer.status >= 300)
      throw new Error(`PUT ${document.metadata.name}: ${JSON.stringify(answer.body)}`);
  }

  /** @param key default: a new one, or a post whose answer was lost would begin a second upgrade, or find its own lock held */
  async upgrade(body: object, key: string = randomUUID()): Promise<UpgradeView> {
    const headers = { 'idempotency-key': key };
    const answer = await this.insist('POST', '/v1/upgrades', body, headers);
    if (answer.status >= 300) throw new Error(`POST /v1/upgrades: ${JSON.stringify(answer.body)}`);
    return upgradeView.parse(answer.body);
  }

  async get(id: string): Promise<UpgradeView> {
    return upgradeView.parse((await this.insist('GET', `/v1/upgrades/${id}`)).body);
  }

  /** What was done though its answer was lost is not refused for having been done. */
  async act(id: string, action: UpgradeAction, body: object = {}): Promise<Answer> {
    const answer = await this.insist('POST', `/v1/upgrades/${id}/${action}`, body);
    if (!answer.isAgain || answer.status !== 409) return answer;
    const view = await this.get(id);
    return isDone(action, view.state) ? { ...answer, status: 200, body: view } : answer;
  }

  /** Waits for a state, and fails at once when it ends in another one. */
  async until(id: string, state: UpgradeState, deadlineMs = 120_000): Promise<UpgradeView> {
    const found = await waitFor(
      async () => {
        const view = await this.get(id);
        return view.state === state || isFinal(view.state) ? view : undefined;
      },
      { what: `upgrade ${id} in ${state}`, deadlineMs, everyMs: 50 },
    );
    if (found.state !== state)
      throw new Error(`${id} ended as ${found.state}, not ${state}: ${found.message ?? ''}`);
    return found;
  }

  async untilEnded(
    id: string,
    deadlineMs = Math.max(180_000, this.patienceMs),
  ): Promise<UpgradeView> {
    return waitFor(
      async () => {
        const view = await this.get(id);
        // waiting on would be in vain
        return isFinal(view.state) || view.state === 'needs_attention' ? view : undefined;
      },
      { what: `the end of upgrade ${id}`, deadlineMs, everyMs: 50 },
    );
  }

  /**
   * The whole history, read as server-sent events, which end with the upgrade.
   * @param withinMs milliseconds in which one answer, and so the upgrade, must end
   */
  history(id: string, withinMs = 30_000): Promise<HistoryEvent[]> {
    return waitFor(
      async () => {
        const response = await fetch(new URL(`/v1/upgrades/${id}/events`, this.url), {
          headers: { authorization: `Bearer ${this.token}`, accept: 'text/event-stream' },
          signal: AbortSignal.timeout(withinMs),
        });
        const text = await response.text();
        if (!response.ok) throw new LiftlockError('unavailable', text);
        return z.array(historyEvent).parse(
          text
            .split('\n')
            .filter((line) => line.startsWith('data:'))
            .map((line): unknown => JSON.parse(line.slice('data:'.length))),
        );
      },
      { what: `the history of ${id}`, deadlineMs: this.patienceMs, everyMs: 100 },
    );
  }
}

/** Whether an upgrade that nobody else acts on is where this action leads. */
function isDone(action: UpgradeAction, state: UpgradeState): boolean {
  switch (action) {
    case 'approve':
      return !['awaiting_approval', 'rejected', 'cancelled'].includes(state);
    case 'reject':
      return state === 'rejected';
    case 'cancel':
      return ['rolling_back', 'rolled_back', 'cancelled'].includes(state);
    case 'rollback':
      return ['rolling_back', 'rolled_back'].includes(state);
    case 'pause':
      return state === 'paused';
    case 'resume':
      return state !== 'paused';
    case 'retry':
    case 'skip':
    case 'resolve':
      return state !== 'needs_attention';
    default:
      return assertNever(action, 'action');
  }
}
