import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  backupPage,
  storedDocument,
  upgradeView,
  type HistoryEvent,
  type UpgradeView,
} from '#contracts';
import { ensureFleet, freePort, takeLock, type EnsuredFleet } from '#fleet';
import { LiftlockError } from '#kernel';
import {
  Guestbook,
  guestbookDocuments,
  type GuestbookVersion,
} from '../../../../examples/guestbook/index.js';
import { ApiClient } from '../api/client.js';
import { followEvents } from '../api/follow-events.js';
import type { Output } from '../output.js';
import type { Colours } from '../show/colours.js';
import { dataOf } from '../show/event-data.js';
import { bytes } from '../show/text.js';
import { watchUpgrade } from '../watch/watch-upgrade.js';
import { endLeftovers } from './leftovers.js';
import { Promises } from './promises.js';

const ENVIRONMENT = 'demo';
const NAMES = { environment: ENVIRONMENT, application: 'guestbook' };
const ENTRIES = ['Ada was here', 'Grace, too', 'and Edsger, who had a question'];
const CONTAINER = 'liftlock-demo';
/** Preferred port of the guest book; another is chosen when it is taken. */
const PORT = 7490;
const VERSIONS: readonly GuestbookVersion[] = ['1.0', '2.0', '3.0'];
/** Milliseconds without contact to a fleet on the same machine. */
const PATIENCE_MS = 60_000;

export interface DemoOptions {
  readonly output: Output;
  readonly colours: Colours;
  readonly signal: AbortSignal;
  /** Folder of the fleet. */
  readonly folder: string;
  /** PostgreSQL, NATS and Redis as containers, also where they are or could be installed. */
  readonly compose: boolean;
}

/** Two upgrades of a real container with data: one that works, and one that is let down again. Every claim is looked at from outside. */
export class Demo {
  private readonly print = (line: string): void => this.options.output.write(`${line}\n`);
  private readonly promises: Promises;

  private constructor(
    private readonly options: DemoOptions,
    private readonly fleet: EnsuredFleet,
    private readonly client: ApiClient,
    private readonly book: Guestbook,
  ) {
    this.promises = new Promises(this.print, options.colours);
  }

  /** @throws LiftlockError with a line that says what is not as promised, or what is missing. */
  static async run(options: DemoOptions): Promise<void> {
    const { folder, signal, output } = options;
    const lock = takeLock(join(folder, 'demo'));
    if (lock === undefined)
      throw new LiftlockError('conflict', 'another demo is at work: wait for it, or end it');
    try {
      const print = (line: string): void => output.write(`${line}\n`);
      print(options.colours.bold('Bringing up the fleet'));
      const fleet = await ensureFleet({
        folder,
        signal,
        docker: true,
        compose: options.compose,
        log: (line) => print(`  ${options.colours.dim(line)}`),
      });
      print(`  the fleet is up: ${fleet.url}`);
      if (fleet.engineHost === undefined)
        throw new LiftlockError('internal', 'the fleet came up without a Docker Engine');
      const client = new ApiClient({ url: fleet.url, token: fleet.token }, signal);
      await endLeftovers(client, ENVIRONMENT, print, signal);
      const place = { name: CONTAINER, engineHost: fleet.engineHost };
      await new Guestbook({ ...place, port: PORT }).remove();
      const book = new Guestbook({ ...place, port: await freePort(PORT) });
      await new Demo(options, fleet, client, book).play();
    } finally {
      lock.release();
    }
  }

  private async play(): Promise<void> {
    await this.begin();
    const up = await this.upgrade('2.0', 'the new version works');
    await this.expectRaised(up);
    const before = await this.digest('before');
    const down = await this.upgrade('3.0', 'it breaks its data and never becomes healthy');
    await this.expectLetDown(down, before);
    await this.showBackup(down);
    this.showTheWayOn(down);
    this.promises.assertKept();
  }

  private async begin(): Promise<void> {
    const { book, client } = this;
    this.heading('A guest book at 1.0, on a real Docker Engine');
    for (const version of VERSIONS) await book.build(version);
    this.print(`  built ${VERSIONS.map((one) => `${book.name}:${one}`).join(', ')} from busybox`);
    await book.start('1.0');
    for (const entry of ENTRIES) await book.sign(entry);
    const entries = (await book.entries()) ?? [];
    this.promises.keep(
      `guest book 1.0 answers at ${book.url}/entries with ${entries.length} entries`,
      (await book.version()) === '1.0' && ENTRIES.every((entry) => entries.includes(entry)),
      `it says ${await this.seen()}`,
    );
    this.promises.assertKept();
    const { environment, application, releases } = guestbookDocuments(book.place, NAMES);
    const put = (collection: string, body: { readonly metadata: { readonly name: string } }) =>
      client.send('PUT', `/v1/${collection}/${body.metadata.name}`, storedDocument, { body });
    await put('environments', environment);
    await put('applications', application);
    const wanted = releases.filter(({ spec }) =>
      (VERSIONS as readonly string[]).includes(spec.version),
    );
    for (const release of wanted) await put('releases', release);
    this.print(`  told Liftlock: environment, application and ${wanted.length} releases`);
  }

  private async upgrade(version: GuestbookVersion, what: string): Promise<UpgradeView> {
    const { client } = this;
    this.heading(`Upgrade to ${version}: ${what}`);
    const { environment, application } = NAMES;
    const body = { environment, application, release: `${application}-${version}` };
    const headers = { 'idempotency-key': randomUUID() };
    const begun = await client.send('POST', '/v1/upgrades', upgradeView, { body, headers }, true);
    const { output, colours, signal } = this.options;
    return watchUpgrade(client, begun.id, {
      ...{ output, colours, signal, indent: '  ', patienceMs: PATIENCE_MS },
    });
  }

  private async expectRaised(view: UpgradeView): Promise<void> {
    const { book, promises } = this;
    promises.keep(
      'the upgrade to 2.0 has succeeded',
      view.state === 'succeeded',
      `it is ${view.state}`,
    );
    promises.keep(
      'guest book 2.0 answers',
      (await book.version()) === '2.0',
      `it says ${await this.seen()}`,
    );
    const entries = (await book.entries()) ?? [];
    promises.keep(
      `its ${entries.length} entries are those of 1.0`,
      ENTRIES.every((entry) => entries.includes(entry)),
      `they are ${JSON.stringify(entries)}`,
    );
    promises.assertKept();
  }

  private async expectLetDown(view: UpgradeView, before: string): Promise<void> {
    const { book, promises } = this;
    promises.keep(
      'the upgrade to 3.0 was rolled back',
      view.state === 'rolled_back',
      `it is ${view.state}`,
    );
    promises.assertKept();
    promises.keep(
      'guest book 2.0 answers again',
      (await book.version()) === '2.0',
      `it says ${await this.seen()}`,
    );
    // not for some other reason: it was started, and its check failed
    const history: HistoryEvent[] = [];
    for await (const event of followEvents(this.client, view.id, { signal: this.options.signal }))
      history.push(event);
    promises.keep(
      'and that since 3.0 was started on the data and never answered',
      happened(history, 'step-succeeded', /\/\d+-replace$/) &&
        happened(history, 'step-failed', /\/\d+-check$/),
      'its history says otherwise',
    );
    const after = await this.digest('after');
    promises.keep('the data is byte for byte as before', after === before, 'the digests differ');
    const containers = await book.containers();
    promises.keep(
      'nothing of 3.0 is left behind',
      containers.length === 1,
      `there are ${containers.join(', ')}`,
    );
  }

  /** Over names, types, modes, owners, times and contents of all of its data, read by a container of the demo's own. */
  private async digest(when: 'before' | 'after'): Promise<string> {
    const digest = await this.book.dataDigest();
    this.print(`  sha256 of the whole data ${when}:${when === 'after' ? ' ' : ''} ${digest}`);
    return digest;
  }

  private async showBackup(view: UpgradeView): Promise<void> {
    const { items } = await this.client.get('/v1/backups', backupPage, { upgrade: view.id });
    const [backup] = items;
    this.heading('To look further');
    const there = backup !== undefined && existsSync(backup.location);
    this.promises.keep(
      'the backup that was taken before 3.0 is kept',
      there,
      backup === undefined ? 'none is known' : `${backup.location} is not there`,
    );
    if (backup !== undefined)
      this.print(
        `  backup        ${backup.location} (${backup.files} files, ${bytes(backup.bytes)})`,
      );
  }

  private showTheWayOn({ id }: UpgradeView): void {
    const { fleet, book } = this;
    const row = (name: string, text: string): void => this.print(`  ${name.padEnd(13)} ${text}`);
    row(
      'API',
      `${fleet.url}/openapi.json; address and token: ${join(fleet.folder, 'client.json')}`,
    );
    row('guest book', `${book.url}/entries`);
    row('both runs', './liftlock upgrades --environment demo');
    row('this run', `./liftlock watch ${id}`);
    row('its log', `./liftlock logs ${id}`);
    row('its events', `./liftlock events ${id} -o json`);
    row('the fleet', './liftlock ps; ./liftlock down');
    if (fleet.engineHost !== undefined) row('the engine', `docker -H ${fleet.engineHost} ps -a`);
  }

  private async seen(): Promise<string> {
    return (await this.book.version()) ?? 'nothing';
  }

  private heading(text: string): void {
    this.print(`\n${this.options.colours.bold(text)}`);
  }
}

function happened(history: readonly HistoryEvent[], type: string, step: RegExp): boolean {
  return history.some((event) => event.type === type && step.test(dataOf(event).step ?? ''));
}
