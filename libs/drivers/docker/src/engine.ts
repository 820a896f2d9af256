import type { IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import Docker from 'dockerode';
import { z } from 'zod';
import type { Credentials } from '#contracts';
import type { SecretStore } from '#drivers/core';
import { untilAborted } from '#kernel';
import { commonVersion, isSpoken, type EngineVersion } from './api-version.js';
import { EngineAgent } from './engine-agent.js';
import type { EngineName } from './engine-name.js';
import { engineError, refusedVersion, statusOf } from './errors.js';
import { routeTo } from './route.js';

export type ContainerInfo = Docker.ContainerInspectInfo;
export type ImageInfo = Docker.ImageInspectInfo;

/** For so long an engine may take to say which API it speaks, in milliseconds. */
const ANSWER_MS = 30_000;

/** What every call may be given besides. */
export interface CallOptions {
  readonly abortSignal?: AbortSignal;
}

/** An engine, and with what it is reached. */
export interface EnginePlace extends EngineName {
  readonly credentials?: Credentials | undefined;
}

/** One Docker Engine: every call goes through here, so that every error is one of ours. */
export class Engine implements EngineName {
  readonly docker: Docker;
  readonly name: string;
  readonly endpoint: string;
  private readonly agent: EngineAgent;
  private negotiated = false;
  private reached = false;
  private negotiating: Promise<void> | undefined;

  constructor(place: EnginePlace, secrets: SecretStore) {
    this.name = place.name;
    this.endpoint = place.endpoint;
    this.agent = new EngineAgent(routeTo(this, place.credentials, secrets));
    const options = {
      // the agent alone decides where to: neither this name nor what the environment says of an engine (DOCKER_HOST …)
      ...{ host: 'http://engine', protocol: 'http', port: 80, pathPrefix: '/' },
      ...{ socketPath: undefined, ca: undefined, cert: undefined, key: undefined },
      timeout: undefined,
      agent: this.agent,
    };
    // the modem takes an agent, whatever its types say
    this.docker = new Docker(options as unknown as Docker.DockerOptions);
  }

  /**
   * Ends when the signal is aborted, also where dockerode takes none.
   * @throws LiftlockError as `engineError` makes it.
   */
  async call<T>(
    what: string,
    signal: AbortSignal | undefined,
    run: (docker: Docker, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    const options: CallOptions = signal === undefined ? {} : { abortSignal: signal };
    try {
      signal?.throwIfAborted();
      if (!this.negotiated) await untilAborted(this.negotiate(), signal);
      return await untilAborted(run(this.docker, options), signal);
    } catch (error) {
      if (refusedVersion(error)) this.speak(undefined);
      throw engineError(this, what, error, signal);
    }
  }

  /** Whether it answered at least once. */
  get wasReached(): boolean {
    return this.reached;
  }

  /** @throws LiftlockError as `call` does, unless it answers now. */
  async ping(signal: AbortSignal): Promise<void> {
    const soon = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
    await this.call('asking the engine whether it is there', soon, (docker) => docker.ping());
  }

  /** Settles which version of the API is spoken; calls at the same time ask once. */
  private negotiate(): Promise<void> {
    this.negotiating ??= this.askVersion().finally(() => (this.negotiating = undefined));
    return this.negotiating;
  }

  private async askVersion(): Promise<void> {
    const abortSignal = AbortSignal.timeout(ANSWER_MS);
    const newest = await new Promise<string | undefined>((resolve, reject) => {
      modemOf(this.docker).dial(
        { path: '/_ping', method: 'GET', isStream: true, statusCodes: { 200: true }, abortSignal },
        (error, response) => {
          if (response === undefined || response === null) return reject(error);
          response.resume();
          resolve(response.headers['api-version'] as string | undefined);
        },
      );
    });
    // the whole answer takes an engine long, since it asks its own parts: only where the short one is not enough
    const said =
      newest !== undefined && isSpoken(newest)
        ? { ApiVersion: newest, MinAPIVersion: newest }
        : ((await this.docker.version()) as EngineVersion);
    this.speak(commonVersion(this, said));
  }

  private speak(version: string | undefined): void {
    modemOf(this.docker).version = version === undefined ? undefined : `v${version}`;
    this.negotiated = version !== undefined;
    this.reached ||= this.negotiated;
  }

  /** The container with this name or full id; never one whose id merely begins so. */
  async inspect(nameOrId: string, signal?: AbortSignal): Promise<ContainerInfo | undefined> {
    const found = await orMissing(
      this.call(`looking at the container ${nameOrId}`, signal, (docker, options) =>
        docker.getContainer(nameOrId).inspect({ ...options }),
      ),
    );
    return found !== undefined && (found.Id === nameOrId || nameOf(found) === nameOrId)
      ? found
      : undefined;
  }

  async inspectImage(reference: string, signal?: AbortSignal): Promise<ImageInfo | undefined> {
    return orMissing(
      this.call(`looking at the image ${reference}`, signal, (docker, options) =>
        docker.getImage(reference).inspect({ ...options } as object),
      ),
    );
  }

  /** Makes a container and gives its id. dockerode alone would put the whole body, environment included, into the URL. */
  async create(name: string, body: object, signal?: AbortSignal): Promise<string> {
    const made = await this.call(`creating the container ${name}`, signal, (docker, options) =>
      docker.createContainer({ _query: { name }, _body: body, ...options } as object),
    );
    return made.id;
  }

  /**
   * Begins to wait for a container's next end; when this resolves the engine is listening for it, so that it is not missed.
   * @returns what gives the exit code; `undefined` when the container was removed without having been seen to end
   */
  async nextExit(
    what: string,
    id: string,
    signal: AbortSignal | undefined,
  ): Promise<() => Promise<number | undefined>> {
    const response = await this.call(
      what,
      signal,
      (docker, options) =>
        new Promise<IncomingMessage>((resolve, reject) => {
          modemOf(docker).dial(
            {
              path: `/containers/${id}/wait?`,
              // the modem would put them into the body as well
              options: { _query: { condition: 'next-exit' }, _body: {} },
              method: 'POST',
              isStream: true,
              statusCodes: { 200: true },
              ...options,
            },
            (error, found) => (found ? resolve(found) : reject(error)),
          );
        }),
    );
    const code = this.call(what, signal, () => exitCodeIn(response));
    code.catch(() => undefined);
    return () => code;
  }

  close(): void {
    this.agent.destroy();
  }
}

async function exitCodeIn(response: IncomingMessage): Promise<number | undefined> {
  const body = z.object({ StatusCode: z.number().int() }).safeParse(await json(response));
  return body.data?.StatusCode;
}

/** `undefined` instead of an error when the engine does not know the thing. */
export async function orMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** A container's name as a person writes it: the engine puts a slash before. */
export function nameOf(container: { readonly Name: string }): string {
  return container.Name.replace(/^\//, '');
}

/** Running, paused, or between two runs of a restart: it may write to its data at any moment. */
export function isLive(container: ContainerInfo): boolean {
  const { Running, Paused, Restarting } = container.State;
  return Running || Paused || Restarting;
}

/** The part of dockerode's modem that its types leave out. */
interface Modem {
  version: string | undefined;
  dial(options: object, done: (error: unknown, response?: IncomingMessage | null) => void): void;
}

function modemOf(docker: Docker): Modem {
  return docker.modem as unknown as Modem;
}

/** The engines that were reached so far, by endpoint. */
export class Engines {
  private readonly open = new Map<string, Engine>();

  constructor(private readonly secrets: SecretStore) {}

  of(target: EnginePlace): Engine {
    const key = JSON.stringify([target.name, target.endpoint, target.credentials ?? null]);
    const known = this.open.get(key);
    if (known !== undefined) return known;
    const engine = new Engine(target, this.secrets);
    this.open.set(key, engine);
    return engine;
  }

  close(): void {
    for (const engine of this.open.values()) engine.close();
    this.open.clear();
  }
}
