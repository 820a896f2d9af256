import { QueryHandlerFor, type QueryHandler } from '#bus';
import type { QueryData, QueryReply } from '#contracts';
import { RunsService } from '../runs.service.js';

@QueryHandlerFor('get-backup-run')
export class GetBackupRunHandler implements QueryHandler<'get-backup-run'> {
  constructor(private readonly runs: RunsService) {}

  handle({ id }: QueryData<'get-backup-run'>): Promise<QueryReply<'get-backup-run'>> {
    return this.runs.get(id);
  }
}
