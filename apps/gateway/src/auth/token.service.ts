import { randomBytes } from 'node:crypto';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { TokenCreated, TokenRequest, TokenView } from '#contracts';
import { LiftlockError, type Clock, type IdSource } from '#kernel';
import type { Principal } from '../http/request-context.js';
import { BOOTSTRAP_TOKEN, CLOCK, IDS } from '../tokens.js';
import { TokenStore, viewOfToken } from './token.store.js';

/** Name of the token that exists from the first start. */
const BOOTSTRAP_NAME = 'bootstrap';
const MAX_TOKEN_LENGTH = 500;

/** Gives out tokens, takes them back, and says who shows one. */
@Injectable()
export class TokenService implements OnModuleInit {
  constructor(
    private readonly store: TokenStore,
    @Inject(BOOTSTRAP_TOKEN) private readonly bootstrap: string | undefined,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(IDS) private readonly ids: IdSource,
  ) {}

  async onModuleInit(): Promise<void> {
    if (this.bootstrap === undefined) return;
    await this.store.ensure(
      {
        id: this.ids.next('tok'),
        name: BOOTSTRAP_NAME,
        role: 'admin',
        createdAt: this.clock.now(),
        createdBy: BOOTSTRAP_NAME,
        expiresAt: undefined,
      },
      this.bootstrap,
    );
  }

  /** @throws LiftlockError `unauthenticated`, which never says why a token is not good. */
  async authenticate(authorization: string | undefined): Promise<Principal> {
    const secret = /^Bearer +([!-~]+) *$/i.exec(authorization ?? '')?.[1];
    if (secret === undefined) {
      throw new LiftlockError('unauthenticated', 'give a token: Authorization: Bearer …');
    }
    const find = () =>
      secret.length > MAX_TOKEN_LENGTH
        ? Promise.resolve(undefined)
        : this.store.find(secret, this.clock.now());
    const token = await find().catch((cause: unknown) => {
      throw new LiftlockError(
        'unavailable',
        'tokens cannot be looked up: PostgreSQL does not answer',
        { cause },
      );
    });
    if (token === undefined) {
      throw new LiftlockError(
        'unauthenticated',
        'the token is not known, has expired or was revoked',
      );
    }
    return {
      name: token.name,
      role: token.role,
      stillGood: async () => (await find()) !== undefined,
    };
  }

  async create(request: TokenRequest, actor: string): Promise<TokenCreated> {
    const now = this.clock.now();
    const secret = `llk_${randomBytes(32).toString('base64url')}`;
    const token = {
      id: this.ids.next('tok'),
      name: request.name,
      role: request.role,
      createdAt: now,
      createdBy: actor,
      expiresAt:
        request.expiresInSeconds === undefined
          ? undefined
          : new Date(now.getTime() + request.expiresInSeconds * 1000),
    };
    await this.store.releaseExpired(request.name, now);
    await this.store.add(token, secret);
    return { ...viewOfToken(token), token: secret };
  }

  async list(): Promise<TokenView[]> {
    return (await this.store.list(this.clock.now())).map(viewOfToken);
  }

  async revoke(name: string): Promise<void> {
    if (await this.store.revoke(name, this.clock.now())) return;
    throw new LiftlockError('not_found', `there is no token ${name}`);
  }
}
