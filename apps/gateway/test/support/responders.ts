import { connect, type NatsConnection } from '@nats-io/transport-node';
import {
  eventSubject,
  PROGRESS,
  progressSubject,
  QUERIES,
  querySubject,
  replyEnvelope,
  type App,
  type EventType,
  type ProgressData,
  type QueryData,
  type QueryName,
  type QueryReply,
} from '#contracts';
import { LiftlockError } from '#kernel';

type Answers = {
  [N in QueryName]?: (data: QueryData<N>) => QueryReply<N> | Promise<QueryReply<N>>;
};

/**
 * The other services as the gateway meets them: on the real broker, with the permissions and the schemas of the catalogue. What
 * they answer, each test says.
 */
export class Responders {
  private readonly connections = new Map<App, NatsConnection>();
  private readonly asked: { name: QueryName; data: unknown }[] = [];
  private answers: Answers = {};

  constructor(
    private readonly url: string,
    private readonly login: (app: App) => { readonly user: string; readonly pass: string },
  ) {}

  async start(apps: readonly App[]): Promise<void> {
    for (const app of apps) {
      const connection = await connect({
        servers: this.url,
        inboxPrefix: `_INBOX_${app}`,
        ...this.login(app),
      });
      this.connections.set(app, connection);
      for (const name of Object.keys(QUERIES) as QueryName[]) {
        const contract = QUERIES[name];
        if (contract.to === app && (contract.from as readonly App[]).includes('gateway'))
          this.serve(connection, name);
      }
      await connection.flush();
    }
  }

  /** What is asked from now on is answered so; everything else is `not_found`. */
  answer(answers: Answers): void {
    this.answers = answers;
    this.asked.length = 0;
  }

  /** What was asked since `answer`. */
  questions<N extends QueryName>(name: N): QueryData<N>[] {
    return this.asked.filter((one) => one.name === name).map(({ data }) => data as QueryData<N>);
  }

  /** As the coordinator does when something happened. */
  async announce(upgrade: string, type: EventType): Promise<void> {
    const { user, pass } = this.login('coordinator');
    const connection = await connect({
      servers: this.url,
      user,
      pass,
      inboxPrefix: '_INBOX_coordinator',
    });
    connection.publish(eventSubject('home', 'web', upgrade, type), '{}');
    await connection.drain();
  }

  /** As the mirror does while bytes move. */
  async tell(said: ProgressData<'step-transfer'>): Promise<void> {
    const connection = this.connections.get('mirror');
    if (connection === undefined) throw new Error('the mirror does not run');
    const data = PROGRESS['step-transfer'].data.parse(said);
    connection.publish(progressSubject('step-transfer', data), JSON.stringify(data));
    await connection.flush();
  }

  /** What no service should say. */
  async tellAnything(upgrade: string, text: string): Promise<void> {
    const about = { environment: 'home', application: 'web', upgrade };
    const connection = this.connections.get('mirror');
    connection?.publish(progressSubject('step-transfer', about), text);
    await connection?.flush();
  }

  async stop(app: App): Promise<void> {
    await this.connections.get(app)?.close();
    this.connections.delete(app);
  }

  async stopAll(): Promise<void> {
    for (const app of this.connections.keys()) await this.stop(app);
  }

  private serve<N extends QueryName>(connection: NatsConnection, name: N): void {
    connection.subscribe(querySubject(name), {
      callback: (_error, message) => {
        const data = QUERIES[name].data.parse(message.json()) as QueryData<N>;
        this.asked.push({ name, data });
        const answer = this.answers[name];
        void Promise.resolve()
          .then(() => {
            if (answer === undefined) throw new LiftlockError('not_found', `${name} finds nothing`);
            return answer(data);
          })
          .then(
            (reply) => replyEnvelope.parse({ ok: true, data: QUERIES[name].reply.parse(reply) }),
            (error: unknown) => ({ ok: false, error: LiftlockError.from(error).toShape() }),
          )
          .then((reply) => message.respond(JSON.stringify(reply)));
      },
    });
  }
}
