import { statfs } from 'node:fs/promises';
import { z } from 'zod';
import { upgradeView } from '#contracts';
import {
  findDockerEngine,
  findPostgresFolder,
  findProgram,
  fleetFolder,
  psRows,
  rootFolder,
} from '#fleet';
import { LiftlockError } from '#kernel';
import type { ApiClient } from '../api/client.js';
import { listItems } from '../api/pages.js';
import { bytes } from '../show/text.js';

export interface Finding {
  readonly what: string;
  readonly level: 'good' | 'warn' | 'bad';
  readonly say: string;
}

/** Less room than this, in bytes, and backups of any size will not find it. */
const LITTLE_ROOM = 2 * 1024 ** 3;
const OLD_NODE = 24;

/** Looks at all that a fleet needs: each finding says what to do about it. */
export async function diagnose(client: () => ApiClient): Promise<Finding[]> {
  return [
    node(),
    program('PostgreSQL', findPostgresFolder(), 'postgresql'),
    program('NATS', findProgram('nats-server'), 'nats-server'),
    program('Redis', findProgram('redis-server'), 'redis-server'),
    await engine(),
    await room(),
    ...(await processes()),
    ...(await fleet(client)),
  ];
}

function node(): Finding {
  const version = process.versions.node;
  const good = Number(version.split('.')[0]) >= OLD_NODE;
  return {
    what: 'Node',
    level: good ? 'good' : 'bad',
    say: good ? version : `${version} is too old: ./liftlock brings its own`,
  };
}

/** Only the embedded fleet needs servers on this machine: a CLI of a fleet elsewhere does not. */
function program(what: string, found: string | undefined, debianPackage: string): Finding {
  return found === undefined
    ? {
        what,
        level: 'warn',
        say: `is not installed; ./liftlock up installs it as root, or takes it from Docker Compose; or: apt-get install ${debianPackage}`,
      }
    : { what, level: 'good', say: found };
}

async function engine(): Promise<Finding> {
  const found = await findDockerEngine();
  if (found !== undefined) return { what: 'Docker Engine', level: 'good', say: found.host };
  if ((await psRows()).some(({ name, status }) => name === 'docker' && status === 'running'))
    return { what: 'Docker Engine', level: 'good', say: 'the one that ./liftlock started' };
  const own = findProgram('dockerd');
  return own === undefined
    ? {
        what: 'Docker Engine',
        level: 'warn',
        say: 'none answers and none is installed; ./liftlock demo installs one as root',
      }
    : {
        what: 'Docker Engine',
        level: 'good',
        say: `none answers; ./liftlock up --docker starts one of its own (${own})`,
      };
}

async function room(): Promise<Finding> {
  const { bavail, bsize } = await statfs(rootFolder());
  const free = bavail * bsize;
  const good = free >= LITTLE_ROOM;
  return {
    what: 'disk',
    level: good ? 'good' : 'warn',
    say: `${bytes(free)} free for ${fleetFolder()}${good ? '' : ': backups may not find room'}`,
  };
}

async function processes(): Promise<Finding[]> {
  const rows = await psRows();
  const down = rows.filter(({ status }) => status !== 'running');
  if (rows.length === 0) return [];
  return down.length === 0
    ? [{ what: 'processes', level: 'good', say: `all ${rows.length} run` }]
    : down.map(({ name, status }) => ({
        what: name,
        level: 'bad' as const,
        say: `is ${status}: ./liftlock up starts what does not run; its log is in ${fleetFolder()}/log`,
      }));
}

async function fleet(connect: () => ApiClient): Promise<Finding[]> {
  try {
    const client = connect();
    const ready = await client.fetch('GET', '/health/ready');
    const health = await ready.text();
    const findings: Finding[] = [
      ready.ok
        ? { what: 'API', level: 'good', say: client.url }
        : { what: 'API', level: 'bad', say: `${client.url} is not ready: ${health.slice(0, 500)}` },
    ];
    // a good token, a coordinator that answers, and what waits for a person
    await client.get('/openapi.json', z.unknown());
    const waiting = await listItems(client, '/v1/upgrades', upgradeView, 100, {
      state: 'needs_attention',
    });
    return [
      ...findings,
      { what: 'token', level: 'good', say: 'is good' },
      ...waiting.map(({ id, message }) => ({
        what: 'upgrade',
        level: 'warn' as const,
        say: `${id} needs attention${message === undefined ? '' : `: ${message}`} (liftlock status ${id})`,
      })),
    ];
  } catch (error) {
    if (!(error instanceof LiftlockError)) throw error;
    return [{ what: 'API', level: 'bad', say: error.message.replaceAll('\n', ';') }];
  }
}
