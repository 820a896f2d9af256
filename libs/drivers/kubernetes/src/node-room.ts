import {
  likelyBytes,
  NoRoom,
  othersInTheWay,
  packedBytes,
  Room,
  type LookUpChains,
  type LookUpLayers,
  type PackedLayer,
  type Seat,
  type StepContext,
} from '#drivers/core';
import { LiftlockError, mebibytes, someAtATime } from '#kernel';
import type { Cluster } from './cluster.js';
import { NodeDisks, type NodeDisk } from './node-disk.js';
import type { KubeNode } from './objects.js';

/** Kubelets that are asked at the same time. */
const AT_A_TIME = 16;
/** Below this share of free disk, kubelets remove images that no pod uses and evict pods, unless they are told otherwise. */
const KUBELETS_KEEP = 0.15;

/** An image on its way to the nodes of a cluster. */
export interface ComingToNodes {
  readonly cluster: Cluster;
  readonly context: StepContext;
  /** `repository@sha256:…` */
  readonly image: string;
  /** Default: nobody can tell how large it is, and nothing is looked at. */
  readonly lookUp: LookUpLayers | undefined;
}

interface InRoom {
  readonly key: string;
  readonly room: Room;
  readonly seat: Seat;
}

interface NodeSeat extends InRoom {
  readonly node: KubeNode;
  layers: readonly PackedLayer[];
  disk: NodeDisk | undefined;
}

/** By cluster and node, and by cluster alone. */
const rooms = new Map<string, Room>();

/**
 * Pulls onto nodes what fits onto the disk of each of them, together with all else that this process has them pull. What is not known stops
 * nothing: the pull itself will tell.
 * @param find where it is to be pulled; others of the same upgrade wait for it, and are looked at with it
 * @param pull is to say of each when the image is there
 * @throws LiftlockError `disk_full` before anything is pulled, where it cannot fit on one of them
 */
export async function withRoomOnNodes<Pull extends { readonly node: KubeNode }>(
  coming: ComingToNodes,
  find: () => Promise<readonly Pull[]>,
  pull: (pulls: readonly Pull[], isThere: (one: Pull) => void) => Promise<void>,
): Promise<readonly Pull[]> {
  const { cluster, context } = coming;
  const together = enter(cluster.endpoint, context);
  const seats = new Map<Pull, NodeSeat>();
  try {
    const pulls = await find();
    for (const one of pulls) {
      const key = `${cluster.endpoint} ${one.node.metadata.name}`;
      const { node } = one;
      seats.set(one, { node, ...enter(key, context), layers: [], disk: undefined });
    }
    await look(coming, [...seats.values()]);
    // nothing is asked for here but that all others know by now on which nodes they are
    await together.seat.settle(NOTHING, () => Promise.resolve([]), context.signal);
    await settle(coming, [...seats.values()]);
    await pull(pulls, (one) => leave(seats.get(one)));
    return pulls;
  } finally {
    for (const one of [together, ...seats.values()]) leave(one);
  }
}

const NOTHING = { images: [], passing: 0, free: 0 } as const;

function enter(key: string, { upgrade }: StepContext): InRoom {
  const room = rooms.get(key) ?? new Room();
  rooms.set(key, room);
  return { key, room, seat: room.enter(upgrade) };
}

function leave(one: InRoom | undefined): void {
  if (one === undefined) return;
  one.seat.leave();
  if (one.room.isEmpty && rooms.get(one.key) === one.room) rooms.delete(one.key);
}

/** Finds out all that is to be known; waits for no other step, since those may wait for the same nodes in another order. */
async function look(
  { cluster, context, lookUp }: ComingToNodes,
  seats: readonly NodeSeat[],
): Promise<void> {
  const disks = new NodeDisks(cluster, context);
  const layers = new Map<string, Promise<readonly PackedLayer[] | undefined> | undefined>();
  await someAtATime(seats, AT_A_TIME, async (one) => {
    const platform = platformOf(one.node);
    const key = `${platform.os}/${platform.architecture}`;
    const asked = layers.get(key) ?? lookUp?.(platform);
    layers.set(key, asked);
    one.layers = (await asked) ?? [];
    if (one.layers.length > 0) one.disk = await disks.of(one.node.metadata.name, one.room);
    if (one.disk === undefined) leave(one);
  });
}

async function settle(coming: ComingToNodes, seats: readonly NodeSeat[]): Promise<void> {
  const known = seats.flatMap((one) =>
    one.disk === undefined ? [] : [{ ...one, disk: one.disk }],
  );
  // all are answered: an answer to one is none to another
  const ends = await Promise.allSettled(known.map((one) => settleOn(coming, one)));
  const refused: Array<{ one: (typeof known)[number]; why: NoRoom }> = [];
  for (const [at, end] of ends.entries()) {
    if (end.status === 'fulfilled') continue;
    const one = known[at];
    if (one === undefined || !(end.reason instanceof NoRoom)) throw end.reason;
    refused.push({ one, why: end.reason });
  }
  const [first, ...others] = refused;
  if (first !== undefined)
    throw noRoom(
      coming,
      first.one,
      first.why,
      others.map(({ one }) => one.node.metadata.name),
    );
}

async function settleOn(
  coming: ComingToNodes,
  { node, seat, layers, disk }: NodeSeat & { readonly disk: NodeDisk },
): Promise<void> {
  const { context, image } = coming;
  // how a node keeps them is not told: what counts is what each of them needs at least
  const images = [layers.map(({ diffId, bytes }) => ({ diffId, bytes }))];
  const { others } = await seat.settle(
    { images, passing: 0, free: disk.free },
    chainsOn(coming, node),
    context.signal,
  );
  const likely = likelyBytes(layers, runtimeOf(node) === 'containerd') + others;
  if (likely > disk.free - KUBELETS_KEEP * (disk.capacity ?? 0))
    context.log(
      `${image} is ${mebibytes(packedBytes(layers))} packed; unpacked, it and what else comes may take ${mebibytes(likely)} on ${node.metadata.name}, ` +
        `where ${mebibytes(disk.free)} are free${disk.capacity === undefined ? '' : ` of ${mebibytes(disk.capacity)}`}: kubelets that run out of disk remove images and evict pods`,
      'warn',
    );
}

/** A node tells which images it has, and not their layers: the registry knows those that came from the same repository. */
function chainsOn({ image, lookUp }: ComingToNodes, node: KubeNode): LookUpChains {
  const repository = image.slice(0, image.indexOf('@') + 1);
  const names = (node.status?.images ?? []).flatMap(({ names: all = [] }) =>
    all.filter((name) => repository !== '' && name.startsWith(repository)),
  );
  return async () => {
    const chains: string[][] = [];
    for (const name of names) {
      const layers = (await lookUp?.(platformOf(node), name)) ?? [];
      chains.push(layers.flatMap(({ diffId }) => diffId ?? []));
    }
    return chains;
  };
}

function noRoom(
  { cluster, image }: ComingToNodes,
  { node, seat }: NodeSeat,
  { found }: NoRoom,
  others: readonly string[],
): LiftlockError {
  const name = node.metadata.name;
  const notes = othersInTheWay(found);
  const why = notes.length === 0 ? '' : ` (${notes.join('; ')})`;
  const besides = others.length === 0 ? '' : `, nor is there room on ${others.join(', ')}`;
  return new LiftlockError(
    'disk_full',
    `${image} needs at least ${mebibytes(seat.needs(new Set()))} on ${name} of ${cluster.name}${why}, where ${mebibytes(found.free)} are free${besides}: ` +
      'nothing of it was pulled; free space there (crictl rmi --prune on the node), or cordon it, and try again',
    {
      details: {
        ...{ target: cluster.name, node: name, image },
        ...{ freeBytes: found.free, neededBytes: found.needed },
      },
    },
  );
}

function platformOf({ status }: KubeNode): Parameters<LookUpLayers>[0] {
  const { operatingSystem = 'linux', architecture = 'amd64' } = status?.nodeInfo ?? {};
  return { os: operatingSystem, architecture };
}

/** `containerd`, of `containerd://1.7.2`. */
function runtimeOf({ status }: KubeNode): string | undefined {
  return status?.nodeInfo?.containerRuntimeVersion?.split(':')[0];
}
