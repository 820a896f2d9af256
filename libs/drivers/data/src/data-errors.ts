import { LiftlockError, type ErrorCode } from '#kernel';
import { EXIT } from './data-scripts.js';

/** What GNU tar only warns of, though it means that less was kept or put back than there is. */
export const LOSS =
  /: Warning: (?:Cannot|Read error)|extended attribute for file|POSIX ACLs for file|SELinux context/;

/** What tar says, as one of our codes. */
const WORDS: ReadonlyArray<readonly [RegExp, ErrorCode]> = [
  [/No space left on device|Disk quota exceeded|Wrote only \d+ of \d+ bytes/, 'disk_full'],
  [/file changed as we read it|File removed before we read it|File shrank by/, 'data_changed'],
  [LOSS, 'data_corrupt'],
];

export function dataError(
  what: string,
  direction: 'read' | 'write',
): (exitCode: number, stderr: string) => LiftlockError {
  return (exitCode, stderr) => {
    const lines = stderr.split('\n').filter((line) => line !== '');
    const [pattern, code] = WORDS.find(([words]) => words.test(stderr)) ?? [];
    // tar's last line only says that there were errors
    const why = lines.find((line) => pattern?.test(line)) ?? lines[0];
    return new LiftlockError(
      code ?? codeOf(exitCode, direction),
      `${what} failed (exit code ${exitCode})${why === undefined ? '' : `: ${why}`}`,
      { details: { exitCode, stderr: lines.slice(-20) } },
    );
  };
}

function codeOf(exitCode: number, direction: 'read' | 'write'): ErrorCode {
  switch (exitCode) {
    case EXIT.missing:
      return 'data_missing';
    case EXIT.halfRestored:
      return 'data_corrupt';
    case EXIT.compressor:
      return direction === 'write' ? 'data_corrupt' : 'target_refused';
    case 137: // killed: the helper was removed by a later attempt, or memory ran out
    case 143: // ended with its host
      return 'target_unreachable';
    default:
      return 'target_refused';
  }
}
