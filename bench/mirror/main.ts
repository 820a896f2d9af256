import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ensureInstalled } from '#fleet';
import { Copier, Registries, RegistrySource } from '#oci';
import { startRegistryServer, type RegistryServer } from '../../test/support/registry.js';
import { median, report, type Case } from '../support/report.js';
import { runLiftlock, runSkopeo, writeLines, type ClientRun } from './client.js';
import { randomLayer, writeImage } from './images.js';

// Images by `liftlock mirror` and by skopeo, in turn, both as processes of their own, between the same registries: the time from start to
// end of the process. A cold run has a registry with an empty store. `bench mirror PAIRS CASE…` runs fewer, for a look.

const MIB = 1024 * 1024;
const ROUND_TRIP_MS = 20;
const [pairsText, ...only] = process.argv.slice(2);
const PAIRS = Number(pairsText ?? 7);
/** Of the memory's case; the whole is 8,192. */
const BIG_MIB = Number(process.env['BENCH_MIRROR_BIG_MIB'] ?? 8_192);

interface Bench {
  readonly name: string;
  readonly bar: number;
  readonly cpuBar?: number;
  /** A registry of its own for each run, else one for all, filled by a first run that does not count. */
  readonly cold: boolean;
  readonly delayed?: boolean;
  readonly ours: (target: string) => Promise<ClientRun>;
  readonly theirs: (target: string) => Promise<ClientRun>;
}

const folder = mkdtempSync(join(tmpdir(), 'liftlock-bench-mirror-'));
const running = new Set<{ stop(): Promise<void> }>();
let code = 1;
try {
  await ensureInstalled({ docker: false, registry: true, logFile: join(folder, 'apt.log') });
  code = report(await measure());
} finally {
  for (const one of running) await one.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(code);

async function measure(): Promise<Case[]> {
  const cases: Case[] = [];
  const source = await registry();
  const delayedSource = await delayed(source.host);
  const large = writeImage(
    folder,
    'large',
    [1, 2, 3].map(() => randomLayer(64 * MIB)),
  );
  const small = writeImage(
    folder,
    'small',
    Array.from({ length: 24 }, () => randomLayer(20_000)),
  );
  await runLiftlock(['copy', large.archive, `${source.host}/large:1`, '--insecure', source.host]);
  const shared = Array.from({ length: 12 }, () => randomLayer(2 * MIB));
  const names = Array.from({ length: 20 }, (_, at) => `team/app${at}`);
  for (const [at, name] of names.entries()) {
    const layers = [...shared.slice(0, 6 + (at % 6)), randomLayer(MIB)];
    const { archive } = writeImage(folder, `app${at}`, layers);
    await runLiftlock(['copy', archive, `${source.host}/${name}:1`, '--insecure', source.host]);
    rmSync(archive);
  }
  const between = (from: string, image: string): Pick<Bench, 'ours' | 'theirs'> => ({
    ours: (to) =>
      runLiftlock([
        'copy',
        `${from}/${image}`,
        `${to}/${image}`,
        '--insecure',
        from,
        '--insecure',
        to,
      ]),
    theirs: (to) =>
      runSkopeo([
        'copy',
        '-q',
        '--src-tls-verify=false',
        '--dest-tls-verify=false',
        `docker://${from}/${image}`,
        `docker://${to}/${image}`,
      ]),
  });
  const fromArchive = (path: string): Pick<Bench, 'ours' | 'theirs'> => ({
    ours: (to) => runLiftlock(['copy', `oci-archive:${path}`, `${to}/archive:1`, '--insecure', to]),
    theirs: (to) =>
      runSkopeo([
        'copy',
        '-q',
        '--dest-tls-verify=false',
        `oci-archive:${path}`,
        `docker://${to}/archive:1`,
      ]),
  });
  const benches: Bench[] = [
    {
      name: 'registry to registry, cold, 3 x 64 MiB',
      bar: 1,
      cpuBar: 1,
      cold: true,
      ...between(source.host, 'large:1'),
    },
    {
      name: `the same, ${ROUND_TRIP_MS} ms round trip`,
      bar: 0.75,
      cold: true,
      delayed: true,
      ...between(delayedSource.host, 'large:1'),
    },
    {
      name: 'oci-archive to registry, cold, 3 x 64 MiB',
      bar: 0.75,
      cold: true,
      ...fromArchive(large.archive),
    },
    {
      name: `oci-archive, 24 small layers, ${ROUND_TRIP_MS} ms round trip`,
      bar: 0.3,
      cold: true,
      delayed: true,
      ...fromArchive(small.archive),
    },
    {
      name: 'registry to registry, warm',
      bar: 0.5,
      cold: false,
      ...between(source.host, 'large:1'),
    },
    {
      ...between(source.host, 'large:1'),
      name: 'registry to registry, warm, by a process that is up, as a service is',
      bar: 0.5,
      cold: false,
      ours: (to) => copyHere(source.host, to, 'large'),
    },
    {
      name: '20 images that share layers, sync',
      bar: 0.5,
      cold: true,
      ours: (to) =>
        runLiftlock([
          'sync',
          writeLines(folder, 'list.yaml', liftlockList(source.host, to, names)),
        ]),
      theirs: (to) =>
        runSkopeo([
          'sync',
          '--src',
          'yaml',
          '--dest',
          'docker',
          '--dest-tls-verify=false',
          writeLines(folder, 'skopeo.yaml', skopeoList(source.host, names)),
          to,
        ]),
    },
  ];
  for (const bench of benches) if (isWanted(bench.name)) cases.push(...(await pairs(bench)));
  if (isWanted('memory')) cases.push(await memory());
  return cases;
}

/** In this process: without the start of one, which is most of what a warm copy takes. */
async function copyHere(from: string, to: string, repository: string): Promise<ClientRun> {
  const registries = new Registries({
    settings: { [from]: { insecure: true }, [to]: { insecure: true } },
  });
  const began = performance.now();
  const cpu = process.cpuUsage();
  await new Copier().copy({
    source: new RegistrySource(registries.repository({ registry: from, repository })),
    reference: '1',
    target: registries.repository({ registry: to, repository }, 'push'),
    tags: ['1'],
  });
  const { user, system } = process.cpuUsage(cpu);
  const wallMs = performance.now() - began;
  registries.close();
  return { wallMs, cpuMs: (user + system) / 1_000, peakMiB: Number.NaN };
}

function isWanted(name: string): boolean {
  return only.length === 0 || only.some((part) => name.includes(part));
}

async function pairs(bench: Bench): Promise<Case[]> {
  const ours: ClientRun[] = [];
  const theirs: ClientRun[] = [];
  const warm = bench.cold ? undefined : await registry();
  if (warm !== undefined) await bench.ours(warm.host);
  const once = async (run: Bench['ours'], into: ClientRun[]): Promise<void> => {
    const target = warm ?? (await registry());
    const proxy = bench.delayed === true ? await delayed(target.host) : undefined;
    into.push(await run(proxy?.host ?? target.host));
    await proxy?.stop();
    if (warm === undefined) await target.stop();
  };
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const turns = [
      (): Promise<void> => once(bench.ours, ours),
      (): Promise<void> => once(bench.theirs, theirs),
    ];
    for (const turn of pair % 2 === 0 ? turns : turns.toReversed()) await turn();
    process.stderr.write(
      `${bench.name}: pair ${pair + 1} of ${PAIRS}: ${JSON.stringify({ ours: ours.at(-1), skopeo: theirs.at(-1) })}\n`,
    );
  }
  await warm?.stop();
  const cases = [ratioCase(bench.name, 'wallMs', ours, theirs, bench.bar)];
  if (bench.cpuBar !== undefined)
    cases.push(ratioCase(`${bench.name}: CPU of the client`, 'cpuMs', ours, theirs, bench.cpuBar));
  return cases;
}

/** The median of the ratios of the pairs, so that what disturbs both counts for neither. */
function ratioCase(
  name: string,
  what: keyof ClientRun,
  ours: readonly ClientRun[],
  theirs: readonly ClientRun[],
  bar: number,
): Case {
  const ratio = median(ours.map((one, at) => one[what] / (theirs[at]?.[what] ?? Number.NaN)));
  return {
    bench: 'mirror',
    case: name,
    value: median(ours.map((one) => one[what])),
    unit: 'ms',
    against: `skopeo: ${Math.round(median(theirs.map((one) => one[what])))} ms, ${PAIRS} pairs`,
    ratio,
    bar,
    holds: ratio <= bar,
  };
}

/** One blob larger than any memory, through the client. */
async function memory(): Promise<Case> {
  const source = await registry();
  const target = await registry();
  await putBig(source.host, BIG_MIB);
  const { peakMiB } = await runLiftlock([
    'copy',
    `${source.host}/big:1`,
    `${target.host}/big:1`,
    '--insecure',
    source.host,
    '--insecure',
    target.host,
  ]);
  await Promise.all([source.stop(), target.stop()]);
  return {
    bench: 'mirror',
    case: `resident memory, a blob of ${BIG_MIB} MiB`,
    value: peakMiB,
    unit: 'MiB',
    against: 'nothing',
    ratio: null,
    bar: 150,
    holds: peakMiB <= 150,
  };
}

/** A blob of zeros, which a file with a hole gives: no disk is written for it but the registry's own. */
async function putBig(host: string, mib: number): Promise<void> {
  const file = join(folder, 'big');
  writeFileSync(file, '');
  truncateSync(file, mib * MIB);
  const hash = createHash('sha256');
  for await (const piece of createReadStream(file, { highWaterMark: MIB }))
    hash.update(piece as Buffer);
  const at = `http://${host}/v2/big`;
  const put = async (
    digest: string,
    size: number,
    body: () => NonNullable<RequestInit['body']>,
  ): Promise<object> => {
    const begun = await fetch(`${at}/blobs/uploads/`, { method: 'POST' });
    const place = new URL(begun.headers.get('location') ?? '');
    place.searchParams.set('digest', digest);
    const answer = await fetch(place, {
      method: 'PUT',
      body: body(),
      duplex: 'half',
      headers: { 'content-length': String(size) },
    } as RequestInit);
    if (answer.status !== 201) throw new Error(`the registry answered ${answer.status}`);
    return { digest, size };
  };
  const layer = await put(
    `sha256:${hash.digest('hex')}`,
    mib * MIB,
    () => Readable.toWeb(createReadStream(file)) as unknown as NonNullable<RequestInit['body']>,
  );
  const config = await put(
    `sha256:${createHash('sha256').update('{}').digest('hex')}`,
    2,
    () => '{}',
  );
  const oci = 'application/vnd.oci.image';
  const manifest = {
    schemaVersion: 2,
    mediaType: `${oci}.manifest.v1+json`,
    config: { mediaType: `${oci}.config.v1+json`, ...config },
    layers: [{ mediaType: `${oci}.layer.v1.tar`, ...layer }],
  };
  const answer = await fetch(`${at}/manifests/1`, {
    method: 'PUT',
    body: JSON.stringify(manifest),
    headers: { 'content-type': manifest.mediaType },
  });
  if (answer.status !== 201) throw new Error(`the registry answered ${answer.status}`);
  rmSync(file);
}

function liftlockList(from: string, to: string, names: readonly string[]): string {
  const insecure = [from, to].map((host) => `  ${host}: { insecure: true }\n`).join('');
  const images = names.map(
    (name) =>
      `  - { from: ${from}/${name}, to: ${to}/${name.replace('team/', '')}, tags: ['1'] }\n`,
  );
  return `registries:\n${insecure}images:\n${images.join('')}`;
}

function skopeoList(from: string, names: readonly string[]): string {
  const images = names.map((name) => `    ${name}: ['1']\n`);
  return `${from}:\n  tls-verify: false\n  images:\n${images.join('')}`;
}

async function registry(): Promise<RegistryServer> {
  const server = await startRegistryServer();
  return tracked(server);
}

function tracked<T extends { stop(): Promise<void> }>(one: T): T {
  const stoppable: T = {
    ...one,
    async stop() {
      running.delete(stoppable);
      await one.stop();
    },
  };
  running.add(stoppable);
  return stoppable;
}

/** In a process of its own: what it costs is nobody's. */
async function delayed(target: string): Promise<{ readonly host: string; stop(): Promise<void> }> {
  const script = join(import.meta.dirname, 'delaying-proxy.js');
  const child = spawn(process.execPath, [script, target, String(ROUND_TRIP_MS / 2)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const host = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').once('data', (text: string) => resolve(text.trim()));
    child.once('exit', () => reject(new Error('the delaying proxy ended')));
  });
  return tracked({
    host,
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  });
}
