import { afterEach, expect, test } from 'vitest';
import { freePort, takeShareOfPorts } from './ports.js';

afterEach(() => takeShareOfPorts(0, 1));

test('who has a share of the ports gives out no other', async () => {
  const shares = 100;
  const given = new Map<number, number[]>();
  for (const share of [0, 1, shares - 1]) {
    takeShareOfPorts(share, shares);
    const ports: number[] = [];
    for (let i = 0; i < 10; i += 1) ports.push(await freePort());
    given.set(share, ports);
  }
  const [low, next, high] = [...given.values()].map((ports) => ports.map((port) => port - 20_000));
  // 127 each
  expect(
    low?.every((port) => port >= 0 && port < 127),
    String(low),
  ).toBe(true);
  expect(
    next?.every((port) => port >= 127 && port < 254),
    String(next),
  ).toBe(true);
  expect(
    high?.every((port) => port >= 12_573 && port < 12_700),
    String(high),
  ).toBe(true);
});
