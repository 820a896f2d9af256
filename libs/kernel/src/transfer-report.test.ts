import { expect, test } from 'vitest';
import { TransferReport } from './transfer-report.js';

const MIB = 1024 * 1024;

test('bytes, rate and time left are told from time to time, and a transfer that begins anew has no negative rate', () => {
  let now = 1_000;
  const said: string[] = [];
  const report = new TransferReport(
    (text) => said.push(text),
    () => now,
  );
  const at = (seconds: number, done: number): void => {
    now = 1_000 + seconds * 1_000;
    report.at(done * MIB, 64 * MIB);
  };
  at(1, 2);
  at(4.9, 9);
  expect(said).toEqual([]);
  at(5, 10);
  at(6, 12);
  at(15, 20);
  at(20, 5);
  expect(said).toEqual([
    '10.0 of 64.0 MiB, 2.0 MiB/s, 27 s left',
    '20.0 of 64.0 MiB, 1.0 MiB/s, 44 s left',
    '5.0 of 64.0 MiB, 0.0 MiB/s',
  ]);
});
