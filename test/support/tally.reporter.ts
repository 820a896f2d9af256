import { appendFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';

/**
 * Appends each result to a file as it comes, so that the numbers are true also of a run that was cut off
 * (libs/fleet/src/test-numbers.ts sums them).
 */
export default class TallyReporter implements Reporter {
  private readonly file = process.env['LIFTLOCK_TEST_TALLY'];

  onTestCaseResult(test: TestCase): void {
    const { state, errors } = test.result();
    const said = errors?.map(({ message }) => message);
    this.append({ kind: 'test', state, name: test.fullName, ...(said && { errors: said }) });
  }

  onTestModuleStart(module: TestModule): void {
    this.append({ kind: 'file', name: nameOf(module) });
  }

  onTestModuleEnd(module: TestModule): void {
    this.append({ kind: 'file-end', name: nameOf(module) });
    for (const error of module.errors()) this.append({ kind: 'error', message: error.message });
  }

  onTestSuiteResult(suite: TestSuite): void {
    for (const error of suite.errors()) this.append({ kind: 'error', message: error.message });
  }

  onTestRunEnd(
    _modules: unknown,
    unhandled: readonly { message?: string }[],
    reason: string,
  ): void {
    for (const error of unhandled) this.append({ kind: 'error', message: error.message });
    if (reason !== 'interrupted') this.append({ kind: 'end' });
  }

  private append(entry: object): void {
    if (this.file !== undefined) appendFileSync(this.file, `${JSON.stringify(entry)}\n`);
  }
}

function nameOf({ project, relativeModuleId }: TestModule): string {
  return `${project.name} ${relativeModuleId}`;
}
