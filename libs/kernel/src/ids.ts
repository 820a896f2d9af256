import { randomBytes } from 'node:crypto';

/** Crockford's base 32, in lower case: no i, l, o, u, so that an id can be read out on the telephone. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

export type IdPrefix = 'upg' | 'bak' | 'evt' | 'msg' | 'tok' | 'dlv' | 'own';

/** Where ids come from; domain code takes one as a parameter. */
export interface IdSource {
  next(prefix: IdPrefix): string;
}

/**
 * Ids sort by time of making (48 bits of milliseconds, then 80 random bits), as ULIDs do
 * (https://github.com/ulid/spec), and are valid as a DNS label, a NATS token and a Docker label value.
 */
export const systemIds: IdSource = {
  next(prefix) {
    return `${prefix}_${encode(BigInt(Date.now()), 10)}${encode(BigInt(`0x${randomBytes(10).toString('hex')}`), 16)}`;
  },
};

function encode(value: bigint, length: number): string {
  let rest = value;
  let text = '';
  for (let i = 0; i < length; i += 1) {
    text = ALPHABET[Number(rest & 31n)] + text;
    rest >>= 5n;
  }
  return text;
}
