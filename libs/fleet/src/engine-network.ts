import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { LiftlockError } from '#kernel';
import { findProgram } from './find-program.js';

const run = promisify(execFile);

/** Networks 10.200.0.0/16 to 10.249.0.0/16: one for each engine. */
const OCTETS = Array.from({ length: 50 }, (_, index) => 200 + index);

interface Route {
  readonly device: string;
  /** Of 10.OCTET.0.0/16, of which this route is a part. */
  readonly octet: number;
  /** Whether it is the network of an engine's bridge, and not one that an engine made for its containers. */
  readonly isBridge: boolean;
}

/**
 * Makes an engine's bridge, and returns dockerd's arguments for it and for an address pool beside it. No interface of
 * this machine uses the same network: two bridges on one network are one route, and what is published on the second
 * is never reached.
 */
export async function ensureBridge(bridge: string): Promise<string[]> {
  const ip = findProgram('ip');
  if (ip === undefined) {
    // without iproute2 the engine makes its usual bridge, docker0
    const octet = freeOctet();
    return ['--bip', `10.${octet}.0.1/24`, ...pool(octet)];
  }
  for (let tries = 0; tries < OCTETS.length; tries += 1) {
    const own = octetOf(bridge);
    if (own !== undefined && !isShared(own, bridge)) return ['--bridge', bridge, ...pool(own)];
    await removeBridge(bridge);
    await run(ip, ['link', 'add', 'name', bridge, 'type', 'bridge']);
    await run(ip, ['addr', 'add', `10.${freeOctet()}.0.1/24`, 'dev', bridge]);
    // looked at again from the top: another engine may have taken the same in the meantime
    await run(ip, ['link', 'set', bridge, 'up']);
  }
  throw noneFree();
}

export async function removeBridge(bridge: string): Promise<void> {
  const ip = findProgram('ip');
  if (ip !== undefined && existsSync(`/sys/class/net/${bridge}`))
    await run(ip, ['link', 'del', bridge]);
}

function pool(octet: number): string[] {
  return ['--default-address-pool', `base=10.${octet}.128.0/17,size=24`];
}

function octetOf(bridge: string): number | undefined {
  return routes().find(({ device, isBridge }) => device === bridge && isBridge)?.octet;
}

function isShared(octet: number, bridge: string): boolean {
  return routes().some((one) => one.octet === octet && one.device !== bridge && one.isBridge);
}

/** At random: two engines that start at once choose apart. */
function freeOctet(): number {
  const taken = new Set(routes().map(({ octet }) => octet));
  const free = OCTETS.filter((octet) => !taken.has(octet));
  const octet = free[randomInt(Math.max(1, free.length))];
  if (octet === undefined) throw noneFree();
  return octet;
}

function noneFree(): LiftlockError {
  return new LiftlockError(
    'misconfigured',
    'no free network among 10.200.0.0/16 to 10.249.0.0/16 for the Docker Engine: ip route shows what uses them, and ip link del removes the bridge (llk-…) of an engine that is gone',
  );
}

/**
 * Routes of 10.0.0.0/8 (proc_net_route(5): addresses in hexadecimal, as they lie in memory). They are there too for
 * a bridge that has no container yet, which os.networkInterfaces() leaves out.
 */
function routes(): Route[] {
  const lines = readFileSync('/proc/net/route', 'utf8').trim().split('\n').slice(1);
  return lines.flatMap((line) => {
    const [device = '', hex = ''] = line.split('\t');
    const bytes = Buffer.from(hex, 'hex').reverse();
    const [first, octet, third] = bytes;
    return first === 10 && octet !== undefined ? [{ device, octet, isBridge: third === 0 }] : [];
  });
}
