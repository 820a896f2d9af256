import type { Check } from '#contracts';
import { quote } from './shell-quote.js';

/** A check from outside, by hand: the same for every platform. */
export function networkCheck(check: Extract<Check, { type: 'http' | 'tcp' }>): string {
  return check.type === 'http'
    ? `curl -sS -o /dev/null -w '%{http_code}\\n' ${quote(check.url)}   # must print ${check.status}`
    : `nc -z ${quote(check.host)} ${check.port}`;
}
