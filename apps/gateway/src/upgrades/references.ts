import { Injectable } from '@nestjs/common';
import type { DocumentKind, StoredDocument, UpgradeRequest } from '#contracts';
import { LiftlockError, type Issue } from '#kernel';
import { QueryClient } from '#bus';

/** Whether the documents that a request names exist: what is misspelt is refused at once, and not found out by planning. */
@Injectable()
export class References {
  constructor(private readonly queries: QueryClient) {}

  /**
   * @returns environment, application and release as they are.
   * @throws LiftlockError `unplannable` naming each field whose document is missing.
   */
  async assertThere(request: UpgradeRequest): Promise<StoredDocument['document'][]> {
    const found = await Promise.all([
      this.find('environment', 'Environment', request.environment),
      this.find('application', 'Application', request.application),
      this.find('release', 'Release', request.release),
    ]);
    const issues = found.flatMap((one) => ('issue' in one ? [one.issue] : []));
    if (issues.length === 0) return found.flatMap((one) => ('issue' in one ? [] : [one.document]));
    throw new LiftlockError('unplannable', issues.map(({ message }) => message).join('; '), {
      issues,
    });
  }

  private async find(
    field: string,
    kind: DocumentKind,
    name: string,
  ): Promise<Pick<StoredDocument, 'document'> | { readonly issue: Issue }> {
    try {
      return await this.queries.ask('get-document', { kind, name });
    } catch (error) {
      if (!(error instanceof LiftlockError) || error.code !== 'not_found') throw error;
      const put = `/v1/${kind.toLowerCase()}s/${name}`;
      const message = `there is no ${field} ${name}: store it with PUT ${put}`;
      return { issue: { pointer: `/${field}`, message } };
    }
  }
}
