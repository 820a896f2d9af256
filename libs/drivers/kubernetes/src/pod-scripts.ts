import { addAbortListener } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import type { StepContext } from '#drivers/core';
import {
  HeldEnd,
  LOSS,
  newMark,
  Tail,
  withMark,
  wordsBefore,
  type ErrorText,
  type ScriptRun,
  type ScriptRunner,
} from '#drivers/data';
import { LiftlockError } from '#kernel';
import type { Cluster } from './cluster.js';
import { abortedBy } from './errors.js';
import { openExec, type ExecStream } from './exec-stream.js';
import { HELPER } from './helper-pod.js';
import type { Pod } from './objects.js';

/** Of the input so much goes in one frame, in bytes. */
const FRAME = 1024 * 1024;
/** And so much in one message. */
const MESSAGE = 128 * 1024;

/** A helper pod that is used for several scripts, one after the other. */
export interface UsedPod {
  readonly pod: Pod;
  /** @param isBroken it may still be at work: it is of no more use */
  done(isBroken: boolean): void;
}

/** Runs scripts in a helper pod, over the API server. */
export class PodScripts implements ScriptRunner {
  constructor(
    private readonly cluster: Cluster,
    private readonly context: StepContext,
    private readonly use: () => Promise<UsedPod>,
  ) {}

  async forOutput(
    run: ScriptRun,
    errors: ErrorText = new Tail(),
    input?: Promise<string>,
  ): Promise<Readable> {
    const output = new PassThrough();
    // it may say something before it is known to have begun
    const begun: { script?: Running } = {};
    const script = await this.begin(run, run.script, errors, (piece) => {
      if (!output.write(piece)) begun.script?.pause();
    });
    begun.script = script;
    if (output.writableNeedDrain) script.pause();
    output.on('drain', () => script.resume());
    void input?.then((text) => script.send(Buffer.from(text))).catch(() => undefined);
    const abort = addAbortListener(this.context.signal, () =>
      output.destroy(abortedBy(this.context.signal, run.what)),
    );
    let isWhole = false;
    output.once('close', () => {
      abort[Symbol.dispose]();
      script.done(!isWhole);
    });
    script.ended.then(
      (rest) => {
        isWhole = true;
        output.end(rest);
      },
      (error: Error) => output.destroy(error),
    );
    return output;
  }

  async withInput(run: ScriptRun, input: Readable): Promise<void> {
    const { signal } = this.context;
    let script: Running;
    try {
      // the protocol cannot end the input alone: its end is told within
      const framed = `while read -r n && [ "$n" != 0 ]; do head -c "$n" || exit 1; done | (\n:\n${run.script}\n)`;
      script = await this.begin(run, framed, new Tail(), () => undefined);
    } catch (error) {
      input.destroy();
      throw error;
    }
    let isWhole = false;
    const over = Promise.withResolvers<'over'>();
    const abort = addAbortListener(signal, () => script.close());
    try {
      script.ended.then(
        () => over.resolve('over'),
        () => over.resolve('over'),
      );
      const sending = this.send(script, input).then(
        () => undefined,
        (error: unknown) => error,
      );
      const sent = await Promise.race([sending, over.promise]);
      if (signal.aborted) throw abortedBy(signal, run.what);
      // its own words say more than our broken connection
      if (sent !== undefined && sent !== 'over' && sent === input.errored)
        throw LiftlockError.from(sent);
      await script.ended;
      if (sent !== undefined && !input.readableEnded)
        throw new LiftlockError(
          'target_unreachable',
          `${run.what} ended before all of it was sent`,
        );
      isWhole = true;
    } catch (error) {
      throw signal.aborted ? abortedBy(signal, run.what) : error;
    } finally {
      abort[Symbol.dispose]();
      input.destroy();
      script.done(!isWhole);
    }
  }

  private async send(script: Running, input: Readable): Promise<void> {
    let held: Buffer[] = [];
    let bytes = 0;
    const flush = async (): Promise<void> => {
      if (bytes === 0) return;
      const frame = Buffer.concat(held);
      held = [];
      bytes = 0;
      await script.send(Buffer.from(`${frame.length}\n`));
      for (let at = 0; at < frame.length; at += MESSAGE)
        await script.send(frame.subarray(at, at + MESSAGE));
    };
    for await (const piece of input as AsyncIterable<Buffer>) {
      held.push(piece);
      bytes += piece.length;
      if (bytes >= FRAME) await flush();
    }
    await flush();
    await script.send(Buffer.from('0\n'));
  }

  private async begin(
    run: ScriptRun,
    script: string,
    errors: ErrorText,
    onOutput: (piece: Buffer) => void,
  ): Promise<Running> {
    const { cluster, context } = this;
    const used = await this.use();
    const mark = newMark();
    const held = new HeldEnd(mark);
    let isMarked = false;
    const begun: { exec?: ExecStream } = {};
    const look = (): void => {
      if (
        begun.exec === undefined ||
        isMarked ||
        !held.isMarked ||
        !errors.toString().endsWith(mark)
      )
        return;
      isMarked = true;
      void begun.exec.send(Buffer.from('read\n')).catch(() => undefined);
    };
    let exec: ExecStream;
    try {
      await context.guard();
      exec = await openExec(
        ...([cluster, used.pod, HELPER] as const),
        { command: ['sh', '-c', withMark(script, mark, 'ends-when-read')], what: run.what },
        (isError, piece) => {
          if (isError) errors.add(piece);
          else {
            const passed = held.take(piece);
            if (passed !== undefined) onOutput(passed);
          }
          look();
        },
        context.signal,
      );
    } catch (error) {
      used.done(true);
      throw error;
    }
    begun.exec = exec;
    look();
    const ended = exec.exited.then((code) => {
      const said = errors.toString();
      const words = wordsBefore(mark, said);
      if (code !== 0 || LOSS.test(words ?? said)) throw run.failed(code, words ?? said);
      if (words === undefined || !held.isMarked)
        throw new LiftlockError(
          'target_unreachable',
          `${run.what} failed: the connection to ${cluster.name} ended before the end of the output`,
        );
      return held.rest;
    });
    ended.catch(() => undefined);
    let isDone = false;
    return {
      ended,
      send: (data) => exec.send(data),
      pause: () => exec.pause(),
      resume: () => exec.resume(),
      close: () => exec.close(),
      done: (isBroken) => {
        if (isDone) return;
        isDone = true;
        exec.close();
        used.done(isBroken);
      },
    };
  }
}

interface Running extends Pick<ExecStream, 'send' | 'pause' | 'resume' | 'close'> {
  /** What of the output was not passed on yet, when it ended well. */
  readonly ended: Promise<Buffer>;
  done(isBroken: boolean): void;
}
