import {
  KIND_OF_PART,
  TRANSFER_KINDS,
  type StepTransfer,
  type TransferKind,
  type UpgradeProgress,
} from '#contracts';

/** A transfer that is under way says so every 5 s: who is silent for longer has died, or cannot be heard. */
const SILENT_MS = 15_000;

interface Heard {
  readonly said: StepTransfer;
  readonly at: number;
}
type Measure = Omit<UpgradeProgress['totals'][number], 'kind' | 'running'>;

/** What was heard of one upgrade's transfers, added up. Pure: the time is told to it. */
export class TransferBoard {
  private readonly heard = new Map<string, Heard>();
  private last = -Infinity;

  /** @param now milliseconds of a clock that only goes on; the same for `view` */
  hear(said: StepTransfer, now: number): void {
    this.last = now;
    const known = this.heard.get(said.stepId)?.said;
    // a message that comes late: of an attempt that was taken over, or of one that has ended
    if (known !== undefined && known.token > said.token) return;
    if (known?.token === said.token && known.state !== 'running') return;
    this.heard.set(said.stepId, { said, at: now });
  }

  /** Whether nothing was heard for so long. */
  isSilentFor(ms: number, now: number): boolean {
    return now - this.last >= ms;
  }

  view(now: number): Pick<UpgradeProgress, 'steps' | 'totals'> {
    const all = [...this.heard.values()];
    const running = all
      .filter(({ said, at }) => said.state === 'running' && now - at < SILENT_MS)
      .map(({ said }) => said);
    const done = all.map(({ said }) => said).filter(({ state }) => state === 'done');
    return {
      steps: running.map((said) => ({ step: said.stepId, part: said.part, ...added([said], []) })),
      totals: TRANSFER_KINDS.flatMap((kind) => {
        const moving = running.filter(isOf(kind));
        if (moving.length === 0) return [];
        return [{ kind, running: moving.length, ...added(moving, done.filter(isOf(kind))) }];
      }),
    };
  }
}

function isOf(kind: TransferKind): (said: StepTransfer) => boolean {
  return ({ part }) => KIND_OF_PART[part] === kind;
}

function added(running: readonly StepTransfer[], done: readonly StepTransfer[]): Measure {
  const sum = (of: readonly StepTransfer[], what: (said: StepTransfer) => number): number =>
    of.reduce((all, said) => all + what(said), 0);
  // what has succeeded is there as a whole, whatever was said last
  const before = sum(done, ({ totalBytes }) => totalBytes);
  const doneBytes = before + sum(running, (said) => said.doneBytes);
  const totalBytes = before + sum(running, (said) => said.totalBytes);
  if (running.every(({ bytesPerSecond }) => bytesPerSecond === undefined))
    return { doneBytes, totalBytes };
  const bytesPerSecond = sum(running, (said) => said.bytesPerSecond ?? 0);
  return {
    doneBytes,
    totalBytes,
    bytesPerSecond,
    ...(bytesPerSecond === 0
      ? {}
      : { secondsLeft: Math.ceil((totalBytes - doneBytes) / bytesPerSecond) }),
  };
}
