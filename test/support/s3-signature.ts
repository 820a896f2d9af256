import { createHash, createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest();
export const sha256Hex = (bytes: string | Buffer): string =>
  createHash('sha256').update(bytes).digest('hex');

const escaped = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** Signature version 4, as Amazon's reference has it ("Authenticating Requests: Using the Authorization Header"). @returns the error's code */
export function signatureProblem(
  request: IncomingMessage,
  url: URL,
  keys: { readonly id: string; readonly secret: string },
): 'InvalidAccessKeyId' | 'SignatureDoesNotMatch' | 'AccessDenied' | undefined {
  const said =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d+)\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? '',
    );
  const [, id, day, region, signed, signature] = said ?? [];
  if (id === undefined || day === undefined || region === undefined || signed === undefined)
    return 'AccessDenied';
  if (id !== keys.id) return 'InvalidAccessKeyId';
  const headers = signed.split(';').map((name) => {
    const value = request.headers[name];
    return `${name}:${(Array.isArray(value) ? value.join(',') : (value ?? '')).trim()}\n`;
  });
  const query = [...url.searchParams]
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .toSorted();
  const hash = String(request.headers['x-amz-content-sha256']);
  const canonical = [
    ...[request.method ?? '', url.pathname, query.join('&')],
    ...[headers.join(''), signed, hash],
  ].join('\n');
  const text = [
    'AWS4-HMAC-SHA256',
    String(request.headers['x-amz-date']),
    `${day}/${region}/s3/aws4_request`,
    sha256Hex(canonical),
  ].join('\n');
  const parts = [day, region, 's3', 'aws4_request'];
  const key = parts.reduce<string | Buffer>((from, part) => hmac(from, part), `AWS4${keys.secret}`);
  return hmac(key, text).toString('hex') === signature ? undefined : 'SignatureDoesNotMatch';
}
