import { approvalsText, type HistoryEvent } from '#contracts';
import type { Colours } from './colours.js';
import { dataOf, type EventData } from './event-data.js';
import { warningsInShort } from './plan-warnings.js';
import type { StepPlace } from './step-places.js';
import { clip, duration, printable } from './text.js';

/** A step that is under way. */
export interface ActiveStep {
  readonly step: string;
  readonly since: number;
}

/** What one event adds to what a person has read so far. */
export interface Said {
  readonly lines: readonly string[];
  /** A step has failed: its last log lines belong here. */
  readonly failed?: { readonly step: string; readonly reason: string };
  /** The plan is there now, and says where each step stands. */
  readonly planned?: true;
}

const MIN_TITLE = 24;
const MAX_TITLE = 72;
const TITLE = 52;
/** Room of all that is not the title: mark, stage, instance, duration. */
const REST = 38;
const NOTHING: Said = { lines: [] };

/** The events of one upgrade as lines that stay, and the steps that are under way. Pure: what it says follows from the events alone. */
export class ProgressLines {
  private readonly titles = new Map<string, string>();
  private readonly directions = new Map<string, string>();
  private readonly running = new Map<string, number>();
  private places: ReadonlyMap<string, StepPlace> = new Map();

  /** @param width characters in a line of the terminal; left out: lines are as long as they need to be. */
  constructor(
    private readonly colours: Colours,
    private readonly width?: number,
  ) {}

  setPlaces(places: ReadonlyMap<string, StepPlace>): void {
    this.places = places;
  }

  get active(): ActiveStep[] {
    return [...this.running].map(([step, since]) => ({ step, since }));
  }

  apply(event: HistoryEvent): Said {
    const data = dataOf(event);
    const { step } = data;
    switch (event.type) {
      case 'upgrade-planned':
        return { lines: this.warningsOf(data), planned: true };
      case 'upgrade-state-changed':
        return this.stateChanged(data);
      case 'upgrade-decision':
        return this.decision(data);
      case 'approval-given':
        return this.approval(data);
      case 'upgrade-waiting':
        return one(this.note(`waits: ${data.message ?? ''}`));
      case 'upgrade-warning':
        return one(this.warning(data.message ?? 'warning'));
      case 'lane-taken-back':
        return one(this.note(`${data.instance ?? data.lane ?? ''} is back on ${data.to ?? '?'}`));
      case 'backup-damaged':
        return one(
          this.warning(`the backup ${data.location ?? ''} is damaged: ${data.problem ?? ''}`),
        );
      case 'message-dead-lettered':
        return this.deadLetter(data);
      default:
        return step === undefined ? NOTHING : this.stepEvent(event, step, data);
    }
  }

  /** A step that is under way, as a line that is drawn again and again. */
  activeLine({ step, since }: ActiveStep, now: number, mark: string): string {
    const took = duration(now - since).padStart(8);
    return `${this.colours.warn(mark)} ${this.columns(step)} ${this.colours.dim(took)}`;
  }

  private stepEvent(event: HistoryEvent, step: string, data: EventData): Said {
    const { colours } = this;
    switch (event.type) {
      case 'step-dispatched':
        if (data.title !== undefined) this.titles.set(step, data.title);
        if (data.direction !== undefined) this.directions.set(step, data.direction);
        this.running.set(step, Date.parse(event.at));
        return NOTHING;
      case 'step-started':
        return NOTHING;
      case 'step-succeeded': {
        this.running.delete(step);
        // a bake looks again and again: only what it finds is worth a line
        if (this.directions.get(step) === 'bake') return NOTHING;
        return one(`${colours.good('✓')} ${this.columns(step)} ${this.took(data)}${tries(data)}`);
      }
      case 'step-failed':
        this.running.delete(step);
        if (data.error?.code === 'revoked')
          return one(
            `${colours.warn('↩')} ${this.columns(step)} ${colours.dim('called back')}${tries(data)}`,
          );
        return {
          lines: [
            `${colours.bad('✗')} ${this.columns(step)} ${this.took(data)}${tries(data)}`,
            ...this.reason(data),
          ],
          failed: failureOf(step, data),
        };
      case 'step-retrying': {
        this.running.delete(step);
        const wait = data.afterMs ?? 0;
        const again = wait > 0 ? `again in ${duration(wait)}` : 'again at once';
        return {
          lines: [
            `${colours.warn('↻')} ${this.columns(step)} ${colours.dim(again)}`,
            ...this.reason(data),
          ],
        };
      }
      case 'step-in-doubt':
        this.running.delete(step);
        return {
          lines: [
            `${colours.warn('?')} ${this.columns(step)} ${colours.warn('in doubt')}`,
            ...this.reason(data),
          ],
          failed: failureOf(step, data),
        };
      case 'step-skipped':
        return one(`${colours.warn('»')} ${this.columns(step)} skipped${because(data)}`);
      case 'step-resolved':
        return one(
          `${colours.warn('»')} ${this.columns(step)} counted as ${data.outcome ?? '?'}${because(data)}`,
        );
      default:
        return NOTHING;
    }
  }

  private warningsOf({ warnings = [], changes = [] }: EventData): string[] {
    return warningsInShort({ warnings, changes }, 'status -o json has each').map((text) =>
      this.warning(text),
    );
  }

  private stateChanged({ to, message }: EventData): Said {
    switch (to) {
      case 'awaiting_approval':
        return one(this.note('waits for approval'));
      case 'paused':
        return one(this.note(message === undefined ? 'paused' : `paused: ${message}`));
      case 'baking':
        return one(this.note('all is verified; baking'));
      case 'rolling_back':
        // the line above says why: a failed step, or somebody's decision
        return one(this.colours.warn('• going back'));
      default:
        // the beginning and the end have lines of their own
        return NOTHING;
    }
  }

  private decision(data: EventData): Said {
    // an approval has an event of its own, which says more
    if (data.decision === 'approve') return NOTHING;
    const words = data.step === undefined ? data.decision : `${data.decision} ${data.step}`;
    return one(this.note(`${words ?? 'decision'} by ${data.actor ?? '?'}${because(data)}`));
  }

  private approval({ actor, role, comment, missing = [] }: EventData): Said {
    const by = `approved by ${actor ?? '?'} (${role ?? '?'})${because({ reason: comment })}`;
    const more = missing.length === 0 ? '' : `; still needed: ${approvalsText(missing)}`;
    return one(this.note(`${by}${more}`));
  }

  /** What the message was about, and whose table `dead_letters` keeps it: what to do is in docs/operations.md. */
  private deadLetter(data: EventData): Said {
    const about = `${data.app ?? 'a service'} could not handle ${data.subject ?? 'a message'}`;
    const times = data.deliveries === undefined ? '' : ` in ${data.deliveries} deliveries`;
    return { lines: [this.warning(`${about}${times}: it is kept`), ...this.reason(data)] };
  }

  private reason({ error }: EventData): string[] {
    if (error === undefined) return [];
    return [`    ${this.colours.bad(error.code)}: ${printable(error.message)}`];
  }

  private columns(step: string): string {
    const place = this.places.get(step);
    const stage = place?.stage ?? this.directions.get(step) ?? '';
    const instance = place?.instance ?? '';
    const title = printable(place?.title ?? this.titles.get(step) ?? step);
    return `${this.colours.dim(stage.padEnd(9))} ${instance.padEnd(14)} ${this.fit(title)}`;
  }

  private fit(title: string): string {
    if (this.width === undefined) return title.padEnd(TITLE);
    const room = Math.min(Math.max(MIN_TITLE, this.width - REST), MAX_TITLE);
    return clip(title, room).padEnd(room);
  }

  private took({ startedAt, endedAt }: EventData): string {
    if (startedAt === undefined || endedAt === undefined) return '';
    return this.colours.dim(duration(Date.parse(endedAt) - Date.parse(startedAt)).padStart(8));
  }

  private note(text: string): string {
    return this.colours.dim(`• ${printable(text)}`);
  }

  private warning(text: string): string {
    return this.colours.warn(`! ${printable(text)}`);
  }
}

function one(line: string): Said {
  return { lines: [line] };
}

function tries({ attempt }: EventData): string {
  return attempt === undefined || attempt < 2 ? '' : ` (attempt ${attempt})`;
}

function because({ reason }: Pick<EventData, 'reason'>): string {
  return reason === undefined ? '' : `: ${printable(reason)}`;
}

function failureOf(step: string, { error }: EventData): { step: string; reason: string } {
  return { step, reason: error?.message ?? step };
}
