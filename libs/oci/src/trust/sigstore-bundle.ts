import { isObject } from '../descriptor.js';
import type { FoundSignature } from './found-signature.js';

/**
 * The signatures of a Sigstore bundle (https://docs.sigstore.dev/about/bundle/): a DSSE envelope around an in-toto statement, whose subjects
 * are the digests that were signed. What is none gives none: whoever wants a signature then has none.
 */
export function* readBundle(bytes: Buffer): Generator<FoundSignature> {
  const envelope = field(parse(bytes), 'dsseEnvelope');
  const payload = field(envelope, 'payload');
  const type = field(envelope, 'payloadType');
  const signatures = field(envelope, 'signatures');
  if (typeof payload !== 'string' || typeof type !== 'string' || !Array.isArray(signatures)) return;
  const statement = Buffer.from(payload, 'base64');
  const message = preAuthenticated(type, statement);
  for (const one of signatures as unknown[]) {
    const signature = field(one, 'sig');
    if (typeof signature === 'string')
      yield {
        message,
        signature: Buffer.from(signature, 'base64'),
        digests: subjectsOf(parse(statement)),
      };
  }
}

/** What is signed in DSSE: the type and the body with their lengths (https://github.com/secure-systems-lab/dsse/blob/master/protocol.md). */
export function preAuthenticated(type: string, body: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${body.byteLength} `),
    body,
  ]);
}

function subjectsOf(statement: unknown): string[] {
  const subjects = field(statement, 'subject');
  if (!Array.isArray(subjects)) return [];
  return subjects.flatMap((subject: unknown) => {
    const digest = field(subject, 'digest');
    if (!isObject(digest)) return [];
    return Object.entries(digest).map(([algorithm, hex]) => `${algorithm}:${String(hex)}`);
  });
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

function field(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}
