import {
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Document,
} from 'yaml';
import { LiftlockError, type Issue } from '#kernel';
import type { SourceDocument } from './source-document.js';
import { assertTame, MAX_DEPTH } from './tame.js';

/** Aliases that a document may resolve to: a few lines of them can stand for gigabytes. */
const MAX_ALIASES = 50;

/**
 * All documents of a YAML 1.2 text (JSON is one, too) with their lines; empty ones are left out.
 * @throws LiftlockError `invalid_request` whose issues name the lines.
 */
export function parseYaml(text: string): SourceDocument[] {
  assertShallow(text);
  const lines = new LineCounter();
  return parse(text, lines).flatMap((document) => {
    if (document.errors.length > 0) {
      throw invalid(
        document.errors.map((error) => ({
          pointer: '',
          message: (error.message.split('\n')[0] ?? error.message).replace(
            / at line \d+, column \d+:?$/,
            '',
          ),
          line: lines.linePos(error.pos[0]).line,
        })),
      );
    }
    const value = toValue(document);
    if (value === null) return [];
    assertTame(value);
    return [{ value, lineOf: (pointer: string) => lineOf(document, lines, pointer) }];
  });
}

function parse(text: string, lines: LineCounter): Document[] {
  try {
    const found = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true, version: '1.2' });
    return Array.isArray(found) ? found : [];
  } catch (cause) {
    throw invalid([{ pointer: '', message: reason(cause) }], cause);
  }
}

function toValue(document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (cause) {
    throw invalid([{ pointer: '', message: reason(cause) }], cause);
  }
}

/** `- - - …`: each dash is a level, and costs as much as all before it. */
const DASHES = new RegExp(`^(?:[ \\t]*[-?:][ \\t]){${MAX_DEPTH + 1}}`, 'm');

/** The parser recurses: what would end its stack, or take it minutes, is refused before. */
function assertShallow(text: string): void {
  let open = DASHES.test(text) ? Infinity : 0;
  for (const character of text) {
    if (character === '[' || character === '{') open += 1;
    else if (character === ']' || character === '}') open = Math.max(0, open - 1);
    // brackets in strings are counted, too: hence the room
    if (open > MAX_DEPTH * 16) {
      throw invalid([{ pointer: '', message: `is nested deeper than ${MAX_DEPTH} levels` }]);
    }
  }
}

function invalid(issues: Issue[], cause?: unknown): LiftlockError {
  const [first] = issues;
  const where = first?.line === undefined ? '' : `line ${first.line}: `;
  return new LiftlockError('invalid_request', `not YAML: ${where}${first?.message ?? ''}`, {
    issues,
    cause,
  });
}

function reason(cause: unknown): string {
  if (cause instanceof RangeError) return 'is nested too deeply';
  return cause instanceof Error ? cause.message : String(cause);
}

function lineOf(document: Document, lines: LineCounter, pointer: string): number | undefined {
  let at: unknown = document.contents;
  let found = start(at);
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (isMap(at)) {
      const pair = at.items.find((item) => isScalar(item.key) && String(item.key.value) === key);
      if (pair === undefined) break;
      found = start(pair.key) ?? found;
      at = pair.value;
    } else if (isSeq(at)) {
      const item: unknown = at.items[Number(key)];
      if (item === undefined) break;
      found = start(item) ?? found;
      at = item;
    } else break;
  }
  return found === undefined ? undefined : lines.linePos(found).line;
}

function start(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
