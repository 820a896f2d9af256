import type {
  ApplicationDocument,
  ClusterChain,
  EnvironmentDocument,
  LiftlockDocument,
  Plan,
  ReleaseDocument,
  ServiceTemplateChainDocument,
  UpgradeChainDocument,
} from '#contracts';

/** A document as it is stored: the body with which generation and digest. */
export interface Stored<D extends LiftlockDocument> {
  readonly document: D;
  readonly generation: number;
  readonly digest: string;
  /** Of one that is not stored, but was read there. */
  readonly from?: Omit<ClusterChain, 'name'>;
}

/** What a plan is made of, as far as it was found. */
export interface PlanningDocuments {
  readonly environment: Stored<EnvironmentDocument> | undefined;
  readonly application: Stored<ApplicationDocument> | undefined;
  /** The release that is asked for. */
  readonly release: Stored<ReleaseDocument> | undefined;
  /** All releases of the application: to know by its image which version runs. */
  readonly releases: ReadonlyArray<Stored<ReleaseDocument>>;
  /** Those that the application names, as far as they were found. */
  readonly chains: ReadonlyArray<Stored<UpgradeChainDocument | ServiceTemplateChainDocument>>;
}

export type ComponentSpec = ApplicationDocument['spec']['components'][number];
export type ReleaseComponent = ReleaseDocument['spec']['components'][string];

/** What the plan names as its origin. */
export function documentsOf(documents: ReadonlyArray<Stored<LiftlockDocument>>): Plan['documents'] {
  return documents.map(({ document, generation, digest, from }) => ({
    kind: document.kind,
    name: document.metadata.name,
    generation,
    digest,
    ...(from === undefined ? {} : { from }),
  }));
}
