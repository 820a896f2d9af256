import { QueryHandlerFor, type QueryHandler } from '#bus';
import type { QueryData, QueryReply } from '#contracts';
import { VerifyService } from '../verify.service.js';

@QueryHandlerFor('verify-backup')
export class VerifyBackupHandler implements QueryHandler<'verify-backup'> {
  constructor(private readonly verifying: VerifyService) {}

  handle(data: QueryData<'verify-backup'>): Promise<QueryReply<'verify-backup'>> {
    return this.verifying.begin(data);
  }
}
