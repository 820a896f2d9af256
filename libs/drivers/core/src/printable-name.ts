/** UTF-8 as it is; every other byte, and a backslash, as `\xHH`, so that no two names look the same. */
export function printable(name: Buffer): string {
  const text = name.toString('utf8');
  if (!text.includes('\\') && Buffer.from(text, 'utf8').equals(name)) return text;
  let result = '';
  let at = 0;
  while (at < name.length) {
    const length = validLength(name, at);
    if (length === 0 || name[at] === 0x5c) {
      result += `\\x${(name[at] ?? 0).toString(16).padStart(2, '0').toUpperCase()}`;
      at += 1;
    } else {
      result += name.subarray(at, at + length).toString('utf8');
      at += length;
    }
  }
  return result;
}

/** Bytes of the valid UTF-8 character that begins here; 0 where none does. */
function validLength(name: Buffer, at: number): number {
  for (let length = 1; length <= 4 && at + length <= name.length; length += 1) {
    const piece = name.subarray(at, at + length);
    const text = piece.toString('utf8');
    if (Array.from(text).length === 1 && Buffer.from(text, 'utf8').equals(piece)) return length;
  }
  return 0;
}
