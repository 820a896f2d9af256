import { createHash } from 'node:crypto';

/** Characters that are written at once: enough to be quick, little to hold. */
const PIECE = 64 * 1024;

/** JSON with object keys sorted and no white space: equal values give equal text (after RFC 8785, for the JSON we make). */
export function canonicalJson(value: unknown): string {
  const pieces: string[] = [];
  writeCanonicalJson(value, (piece) => pieces.push(piece));
  return pieces.join('');
}

/** `sha256:<64 hex digits>` over the canonical JSON of a value; of one that is larger than a string may be, too. */
export function digestOf(value: unknown): string {
  const hash = createHash('sha256');
  writeCanonicalJson(value, (piece) => hash.update(piece));
  return `sha256:${hash.digest('hex')}`;
}

/** Writes the canonical JSON of a value piece by piece, so that it need not be held as a whole. */
export function writeCanonicalJson(value: unknown, write: (piece: string) => void): void {
  const writer = new CanonicalWriter(write);
  if (!writer.put(value)) throw new TypeError(`${typeof value} has no JSON`);
  writer.flush();
}

interface Keys {
  readonly asFound: readonly string[];
  readonly sorted: readonly string[];
  /** `"key":`, in the order of `sorted`. */
  readonly texts: readonly string[];
}

const MOST_SHAPES = 1_000;
/** Things of one kind have the same keys in the same order. */
const shapes = new Map<string, Keys>();

function keysOf(item: object): Keys {
  const asFound = Object.keys(item);
  const name = asFound.join(' ');
  const known = shapes.get(name);
  // a key may have a space
  if (
    known?.asFound.length === asFound.length &&
    known.asFound.every((key, at) => key === asFound[at])
  )
    return known;
  const entries = asFound.toSorted().map((key): [string, true] => [key, true]);
  // keys that are numbers come before all others, by their value: JSON.stringify writes an object's in this order
  const sorted = Object.keys(Object.fromEntries(entries));
  const keys = { asFound, sorted, texts: sorted.map((key) => `${JSON.stringify(key)}:`) };
  if (shapes.size >= MOST_SHAPES) shapes.clear();
  shapes.set(name, keys);
  return keys;
}

/** What JSON.stringify does, with sorted keys and in pieces. */
class CanonicalWriter {
  private text = '';

  constructor(private readonly write: (piece: string) => void) {}

  flush(): void {
    if (this.text !== '') this.write(this.text);
    this.text = '';
  }

  /** @returns false where JSON has no place for it: nothing is written then. */
  put(value: unknown, before = ''): boolean {
    switch (typeof value) {
      case 'string':
        this.text += before + JSON.stringify(value);
        break;
      case 'number':
        this.text += before + (Number.isFinite(value) ? String(value) : 'null');
        break;
      case 'boolean':
        this.text += before + String(value);
        break;
      case 'object':
        return this.putObject(value, before);
      case 'undefined':
      case 'function':
      case 'symbol':
        return false;
      case 'bigint':
        throw new TypeError('a BigInt has no JSON');
    }
    if (this.text.length > PIECE) this.flush();
    return true;
  }

  private putObject(value: object | null, before: string): boolean {
    if (value === null) this.text += `${before}null`;
    else if ('toJSON' in value && typeof value.toJSON === 'function')
      return this.put(value.toJSON(), before);
    else if (Array.isArray(value)) {
      this.text += `${before}[`;
      for (const [at, item] of value.entries()) {
        const comma = at === 0 ? '' : ',';
        if (!this.put(item, comma)) this.text += `${comma}null`;
      }
      this.text += ']';
    } else {
      this.text += `${before}{`;
      const { sorted, texts } = keysOf(value);
      let comma = '';
      sorted.forEach((key, at) => {
        // one after the other: some are made when they are read
        if (this.put(value[key as keyof typeof value], `${comma}${texts[at]}`)) comma = ',';
      });
      this.text += '}';
    }
    return true;
  }
}
