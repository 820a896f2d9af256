import { printable } from '#drivers/core';

/** What a host puts on files by itself: the same data has others elsewhere. */
const OF_THE_HOST = new Set(['security.selinux', 'security.ima', 'security.evm']);
const FILE = Buffer.from('# file: ');
const NEWLINE = 0x0a;

/**
 * Reads what `getfattr -h -d -m - -e hex --absolute-names` prints: for each file that has any a line `# file: <path>`, a line
 * `<name>=0x<hex>` for each attribute, and an empty line; in names `\ooo`, in octal, is a byte (getfattr(1)).
 * @param named what a path is called
 * @returns by path, as `printable` writes it: name → hex digits
 */
export function parseAttributes(
  dump: Buffer,
  named: (path: Buffer) => Buffer = (path) => path,
): ReadonlyMap<string, Readonly<Record<string, string>>> {
  const all = new Map<string, Record<string, string>>();
  let attributes: Record<string, string> = {};
  for (let from = 0; from < dump.length;) {
    const found = dump.indexOf(NEWLINE, from);
    const end = found < 0 ? dump.length : found;
    const line = dump.subarray(from, end);
    from = end + 1;
    if (line.length === 0) continue;
    if (line.subarray(0, FILE.length).equals(FILE)) {
      attributes = {};
      all.set(printable(named(unescaped(line.subarray(FILE.length)))), attributes);
      continue;
    }
    const [name = '', value = ''] = line.toString('latin1').split('=0x');
    const plain = printable(unescaped(Buffer.from(name, 'latin1')));
    if (!OF_THE_HOST.has(plain)) attributes[plain] = value;
  }
  for (const [path, one] of all) all.set(path, sorted(one));
  return all;
}

function unescaped(name: Buffer): Buffer {
  if (!name.includes(0x5c)) return name;
  const text = name
    .toString('latin1')
    .replace(/\\([0-3][0-7]{2})/g, (_all, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
  return Buffer.from(text, 'latin1');
}

/** One order, whatever the file system's was. */
function sorted(attributes: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
}
