import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { ensureInstalled } from './ensure-installed.js';
import { interruptible, Interrupted } from './interrupt.js';
import { rootFolder } from './root-folder.js';
import { countTests, summaryLine, type TestNumbers } from './test-numbers.js';

export interface TestOptions {
  /** Vitest projects; default all. */
  readonly projects?: readonly string[];
  /** Milliseconds for the whole run, after which it is stopped and has failed; default 52 minutes. */
  readonly deadlineMs?: number;
  /** Build first; default `true`. */
  readonly build?: boolean;
  readonly log?: (line: string) => void;
}

const PROJECTS = ['small', 'medium', 'fleet'];
const DEADLINE_MS = 52 * 60_000;
const BUILD_DEADLINE_MS = 5 * 60_000;

/**
 * `liftlock test`: installs what is missing, builds, runs every test; the last line is `N passed, N failed` (and
 * `, N skipped`). Returns the exit code: 1 when a test failed or was skipped, or when none ran.
 * @param args more arguments for Vitest: parts of file names, `-t NAME`.
 */
export async function runTests(
  args: readonly string[] = [],
  options: TestOptions = {},
): Promise<number> {
  const log = options.log ?? ((line: string) => void process.stdout.write(`${line}\n`));
  try {
    const numbers = await interruptible((signal) => buildAndRun(args, options, log, signal));
    log(summaryLine(numbers));
    return numbers.passed > 0 && numbers.failed === 0 && numbers.skipped === 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    log('interrupted');
    return error.exitCode;
  }
}

async function buildAndRun(
  args: readonly string[],
  options: TestOptions,
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<TestNumbers> {
  const root = rootFolder();
  const results = join(root, '.liftlock', 'test', 'results.jsonl');
  mkdirSync(dirname(results), { recursive: true });
  rmSync(results, { force: true });
  await ensureInstalled({
    registry: true,
    logFile: join(root, '.liftlock', 'log', 'apt.log'),
    log,
    signal,
  });
  if (options.build !== false) {
    const compile = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'];
    if ((await runNode(root, compile, {}, BUILD_DEADLINE_MS, signal)) !== 0) {
      log('the build failed');
      return { passed: 0, failed: 1, skipped: 0 };
    }
  }
  const code = await runNode(
    root,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      ...(options.projects ?? PROJECTS).flatMap((project) => ['--project', project]),
      ...[
        '--reporter',
        'default',
        '--reporter',
        'json',
        '--reporter',
        './test/support/tally.reporter.ts',
      ],
      ...['--outputFile.json', join(dirname(results), 'results.json')],
      ...args,
    ],
    { LIFTLOCK_TEST_TALLY: results },
    options.deadlineMs ?? DEADLINE_MS,
    signal,
  );
  const text = existsSync(results) ? readFileSync(results, 'utf8') : '';
  const { numbers, ended, failures, open } = countTests(text);
  // once more, and last: what a run printed of them is far above, or was not printed when it was cut off
  for (const failure of failures) log(`failed: ${failure}`);
  if (code === undefined) log(`the tests did not end in time: ${open.join(', ')}`);
  // an error outside of every test, a crash, a run that did not end: it failed, whatever the single tests say
  const unexplained = (code !== 0 || !ended) && numbers.failed === 0 && numbers.skipped === 0;
  return unexplained ? { ...numbers, failed: 1 } : numbers;
}

/** The exit code; `undefined` when it did not end before the deadline. */
function runNode(
  root: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: root,
      stdio: 'inherit',
      env: {
        ...process.env,
        ...env,
        PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
      },
    });
    // what a killed run has started is tied to it and goes with it
    const stop = (): void => {
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), 20_000).unref();
    };
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      stop();
    }, deadlineMs);
    signal.addEventListener('abort', stop, { once: true });
    child.once('error', reject);
    child.once('exit', (code) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      if (signal.aborted) reject(signal.reason as Error);
      else resolve(timedOut ? undefined : (code ?? 1));
    });
  });
}
