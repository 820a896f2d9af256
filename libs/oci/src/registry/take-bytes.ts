/** The next `length` bytes of a reader that goes on afterwards; what a piece has beyond them is given back at the next call. */
export async function* takeBytes(
  reader: AsyncGenerator<Buffer, void, undefined>,
  length: number,
): AsyncGenerator<Buffer, void, undefined> {
  let rest = length;
  while (rest > 0) {
    const kept = leftovers.get(reader);
    leftovers.delete(reader);
    const piece = kept ?? (await reader.next()).value;
    if (piece === undefined) return;
    if (piece.byteLength > rest) leftovers.set(reader, piece.subarray(rest));
    const taken = piece.subarray(0, rest);
    rest -= taken.byteLength;
    yield taken;
  }
}

const leftovers = new WeakMap<object, Buffer>();
