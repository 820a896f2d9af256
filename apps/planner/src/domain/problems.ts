export { pointerOf, pointerToken } from '#contracts';
import { LiftlockError, type ErrorCode, type Issue } from '#kernel';

/** Collects everything that is in the way of a plan, so that a person hears it all at once. */
export class Problems {
  private readonly known = new Set<string>();
  private readonly found: Array<{ readonly code: ErrorCode; readonly issue: Issue }> = [];

  /**
   * @param pointer JSON Pointer: of the request (`/release`), or of a document behind the place that it has in the API
   *   (`/applications/shop/spec/components/0/targets/1`).
   */
  add(code: ErrorCode, pointer: string, message: string): void {
    const key = `${pointer} ${message}`;
    if (this.known.has(key)) return;
    this.known.add(key);
    this.found.push({ code, issue: { pointer, message } });
  }

  get any(): boolean {
    return this.found.length > 0;
  }

  /** One error: with the code that all of them have, else `unplannable`. */
  toError(subject: string): LiftlockError {
    const codes = new Set(this.found.map(({ code }) => code));
    const [only] = codes.size === 1 ? [...codes] : [];
    const issues = this.found.map(({ issue }) => issue);
    const [first] = issues;
    const message =
      issues.length === 1 && first !== undefined
        ? `${subject}: ${first.message}`
        : `${subject}: ${issues.length} things are in the way: ${issues.map((issue) => issue.message).join('; ')}`;
    return new LiftlockError(only ?? 'unplannable', message, { issues, retryable: false });
  }
}
