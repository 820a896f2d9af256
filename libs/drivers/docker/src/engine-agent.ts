import { Agent, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { callbackify, inspect } from 'node:util';

/** How an engine is reached: a new connection to its API, each time it is called. */
export interface Route {
  /** @throws LiftlockError that names the engine. */
  connect(): Promise<Duplex>;
  /** Lets go of what connections share. */
  close(): void;
}

/** Free connections that are kept for the next calls. */
const MAX_FREE = 8;

const { addRequest: addRequestOfNode } = Agent.prototype as unknown as {
  addRequest(this: Agent, request: ClientRequest, ...rest: unknown[]): void;
};

/** Speaks HTTP over whatever the route gives. */
export class EngineAgent extends Agent {
  constructor(private readonly route: Route) {
    super({ keepAlive: true, maxFreeSockets: MAX_FREE });
  }

  /**
   * Of Node's own, which its types leave out. An answer that is cut off after its head has no end, and dockerode waits for one: it is told
   * that the request failed.
   */
  addRequest(request: ClientRequest, ...rest: unknown[]): void {
    request.once('response', (response: IncomingMessage) =>
      response.once('close', () => {
        if (!response.complete && request.listenerCount('error') > 0)
          request.emit(
            'error',
            Object.assign(new Error('the answer was cut off'), { code: 'ECONNRESET' }),
          );
      }),
    );
    addRequestOfNode.call(this, request, ...rest);
  }

  override createConnection(
    _options: unknown,
    done?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    callbackify(() => this.route.connect())((error, stream) => done?.(error, stream));
  }

  /**
   * dockerode's modem inspects the options of every request to any depth, for its debug log, whether anybody reads that or not: the agent
   * would bring all its connections with all that hangs on them, which took most of a service's time as soon as a few calls were under way.
   */
  [inspect.custom](): string {
    return EngineAgent.name;
  }

  override destroy(): void {
    super.destroy();
    this.route.close();
  }
}
