import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedFleet, ensureInstalled, fleetFolder, rootFolder } from '#fleet';
import { ApiClient } from '../../test/support/api-client.js';
import { startCluster } from '../../test/support/cluster-keeper.js';
import { Isecl } from '../../test/support/isecl.js';
import { openCluster } from '../../test/support/test-cluster.js';
import { inPairs, pairCase } from '../support/pairs.js';
import { median, type Case } from '../support/report.js';
import { EndpointsProbe } from './endpoints-probe.js';

// Example A, twelve services on two nodes: by Liftlock, and by a shell script of the commands of its text, in turn.

const WALL_BAR = 0.8;
const DOWNTIME_BAR = 1.1;
/** Of one upgrade, by either. */
const DEADLINE_MS = 6 * 60_000;
const SERVICES = [
  ...['scs-db', 'shvs-db', 'cms', 'aas', 'scs', 'shvs', 'sqvs', 'kbs'],
  ...['isecl-controller', 'ihub', 'isecl-scheduler'],
];
/** An agent is there for its node: each of the two is counted by itself. */
const AGENT = 'sgx-agent';
const NODES = 2;
const LOGIN = { KMIP_USERNAME: 'kmip-admin', KMIP_PASSWORD: 'kmip-secret-7' };
const SCRIPT = join(rootFolder(), 'bench/kubernetes/isecl.sh');
const JOB = join(rootFolder(), 'bench/kubernetes/upgrade-job.yml');

const run = promisify(execFile);

interface Run {
  readonly wallMs: number;
  /** How long each service had no ready endpoint. */
  readonly downtimesMs: Readonly<Record<string, number>>;
}

/** @param pairs each takes eight minutes and more */
export async function upgrade(pairs: number): Promise<Case[]> {
  const folder = join(fleetFolder(), 'bench-kubernetes');
  // what an earlier run that was cut off left would be in the way
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await ensureInstalled({ docker: true, registry: true, logFile: join(folder, 'apt.log') });
  const running = await startCluster(join(folder, 'cluster'));
  const scenes: Isecl[] = [];
  try {
    // one for each run: each begins at v3.6, and with no image of v4.0 on a node
    for (let index = 0; index < 2 * pairs; index += 1)
      scenes.push(Isecl.open(await openCluster(running, true)));
    const env = {
      LIFTLOCK_FOLDERS: scenes.map(({ share }) => share).join(':'),
      LIFTLOCK_SECRET_KMIP_USERNAME: LOGIN.KMIP_USERNAME,
      LIFTLOCK_SECRET_KMIP_PASSWORD: LOGIN.KMIP_PASSWORD,
      ...Object.fromEntries(scenes.flatMap((scene) => Object.entries(scene.env))),
    };
    const fleet = await EmbeddedFleet.start({ folder: join(folder, 'fleet'), tied: true, env });
    try {
      return await compared(pairs, new ApiClient(fleet.url, fleet.token), folder, scenes);
    } finally {
      await fleet.stop();
    }
  } finally {
    for (const scene of scenes) await scene.close();
    await running.stop();
  }
}

async function compared(
  pairs: number,
  api: ApiClient,
  folder: string,
  scenes: readonly Isecl[],
): Promise<Case[]> {
  const fresh = scenes.values();
  const watched = async (by: (scene: Isecl) => Promise<() => Promise<void>>): Promise<Run> => {
    const { value: scene } = fresh.next();
    if (scene === undefined) throw new Error('there are fewer scenes than runs');
    await scene.start(api, { also: { maxParallel: SERVICES.length, maxUnavailable: 1 } });
    await scene.cluster.apply(...[...SERVICES, AGENT].map(service));
    const begin = await by(scene);
    const probe = await EndpointsProbe.start(scene.cluster, SERVICES.length + NODES, [AGENT]);
    try {
      const began = performance.now();
      await begin();
      const wallMs = performance.now() - began;
      for (const name of scene.services())
        if (scene.version(name) !== 'v4.0.0')
          throw new Error(`the data of ${name} is not of v4.0.0`);
      return { wallMs, downtimesMs: await probe.downtimesMs() };
    } finally {
      probe.stop();
      // its last pods would be in the way of the next run
      const kinds = 'deployments,daemonsets,jobs';
      await scene.cluster.kubectl(['delete', kinds, '--all', '--cascade=foreground']);
    }
  };
  const { ours, theirs } = await inPairs(
    pairs,
    () => watched(async (scene) => () => byLiftlock(api, scene)),
    () => watched(async (scene) => byScript(scene, join(folder, scene.cluster.namespace))),
  );
  const bench = { bench: 'kubernetes', unit: 'ms', beside: 'kubectl, as the text says' };
  const all = ({ downtimesMs }: Run): number[] => Object.values(downtimesMs);
  return [
    pairCase(
      { ...bench, case: 'example A: wallMs', bar: WALL_BAR },
      ours.map(({ wallMs }) => wallMs),
      theirs.map(({ wallMs }) => wallMs),
    ),
    pairCase(
      { ...bench, case: 'example A: downtimeMs per service, median', bar: DOWNTIME_BAR },
      ours.map((one) => median(all(one))),
      theirs.map((one) => median(all(one))),
    ),
    pairCase(
      { ...bench, case: 'example A: downtimeMs per service, mean', bar: DOWNTIME_BAR },
      ours.map((one) => mean(all(one))),
      theirs.map((one) => mean(all(one))),
    ),
  ];
}

async function byLiftlock(api: ApiClient, scene: Isecl): Promise<void> {
  const { id } = await scene.upgrade(api);
  // ends with the upgrade, and asks for nothing meanwhile
  await api.history(id, DEADLINE_MS);
  const { state, message } = await api.get(id);
  if (state !== 'succeeded') throw new Error(`${id} ended as ${state}: ${message ?? ''}`);
}

/** @returns what begins it, once there are the files that whoever does it by hand has */
async function byScript(scene: Isecl, folder: string): Promise<() => Promise<void>> {
  const { registry, namespace, kubeconfig } = scene.cluster;
  const manifests = join(folder, 'manifests');
  scene.writeManifests(manifests);
  writeFileSync(join(manifests, 'kbs/upgrade-job.yml'), scene.placed(readFileSync(JOB, 'utf8')));
  const secrets = {
    ...{ KBS_SERVICE_USERNAME: 'admin@kbs', KBS_SERVICE_PASSWORD: 'kbsAdminPass' },
    ...LOGIN,
  };
  const lines = Object.entries(secrets).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(manifests, 'kbs/secrets.txt'), lines.join(''));
  const words = [manifests, scene.archives, `${registry}/${namespace}`, scene.share, namespace];
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  return async () => {
    await run(SCRIPT, [...words, join(folder, 'backup.tar.zst')], { env, timeout: DEADLINE_MS });
  };
}

/** Has the endpoints of its pods: what its users ask for where it is. */
function service(name: string): object {
  const spec = { selector: { app: name }, clusterIP: 'None', ports: [{ port: 443 }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, one) => sum + one, 0) / values.length;
}
