import { Inject, Injectable } from '@nestjs/common';
import { Webhook } from 'standardwebhooks';
import type { DeliveryPolicy } from './domain/delivery-policy.js';
import type { ClaimedDelivery } from './persistence/delivery.store.js';
import { placeOf } from './domain/place.js';
import { DELIVERY_POLICY, SECRETS } from './tokens.js';

export type Sent =
  | { readonly ok: true; readonly status: number }
  | {
      readonly ok: false;
      readonly status?: number;
      readonly error: string;
      /** Another try would end the same way. */
      readonly forGood: boolean;
      readonly retryAfterMs?: number;
    };

const GONE = 410;

/** One try at one delivery: signed as https://www.standardwebhooks.com says. */
@Injectable()
export class WebhookSender {
  constructor(
    @Inject(SECRETS) private readonly secrets: Readonly<Record<string, string>>,
    @Inject(DELIVERY_POLICY) private readonly policy: DeliveryPolicy,
  ) {}

  async send(delivery: ClaimedDelivery, shutdown: AbortSignal): Promise<Sent> {
    const signer = this.signerOf(delivery.secret);
    if (typeof signer === 'string') return { ok: false, error: signer, forGood: true };
    const now = new Date();
    try {
      const response = await fetch(delivery.url, {
        method: 'POST',
        // a receiver says where it is in the document; it may not send us elsewhere
        redirect: 'manual',
        signal: AbortSignal.any([AbortSignal.timeout(this.policy.timeoutMs), shutdown]),
        headers: {
          'content-type': 'application/cloudevents+json; charset=utf-8',
          'user-agent': 'Liftlock',
          // the same for every try, so that the receiver can tell a repetition
          'webhook-id': delivery.eventId,
          'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
          'webhook-signature': signer.sign(delivery.eventId, now, delivery.body),
        },
        body: delivery.body,
      });
      // nothing of the answer's body is of interest, and it may be endless
      await response.body?.cancel();
      return judge(response);
    } catch (error) {
      const said = describe(error, this.policy.timeoutMs);
      return {
        ok: false,
        error: said.replaceAll(delivery.url, placeOf(delivery.url)),
        forGood: false,
      };
    }
  }

  private signerOf(reference: string): Webhook | string {
    const name = reference.replace(/^env:/, '');
    const secret = this.secrets[name];
    if (secret === undefined || secret === '') {
      return `the signing secret ${name} is not set: set it in the notifier's environment and start it again`;
    }
    try {
      return new Webhook(secret);
    } catch {
      return `the signing secret ${name} is not valid: it must be base64, with or without whsec_ before it`;
    }
  }
}

function judge(response: Response): Sent {
  const { status } = response;
  if (response.ok) return { ok: true, status };
  if (status >= 300 && status < 400) {
    return {
      ok: false,
      status,
      error: `answered ${status}, and redirects are not followed: correct the url`,
      forGood: false,
    };
  }
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return {
    ok: false,
    status,
    error: `answered ${status}`,
    forGood: status === GONE,
    ...(Number.isFinite(seconds) && seconds > 0 ? { retryAfterMs: seconds * 1000 } : {}),
  };
}

function describe(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `did not answer within ${timeoutMs} ms`;
  if (error.name === 'AbortError') return 'the notifier was stopped';
  const cause = reasonOf(error.cause);
  return cause === '' ? error.message : `${error.message}: ${cause}`;
}

/** An AggregateError (one address after another was tried) has no message, only a code. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return '';
  if (cause.message !== '') return cause.message;
  return 'code' in cause ? String(cause.code) : cause.name;
}
