import type { SemVer } from 'semver';
import { assertNever } from '#kernel';
import {
  templateReference,
  type ReleaseDocument,
  type ServiceTemplateChainDocument,
  type UpgradeChainDocument,
} from '#contracts';
import type { Stored } from './planning-documents.js';
import { semverOf } from './versions.js';

export type ChainDocument = UpgradeChainDocument | ServiceTemplateChainDocument;

/** One version of a chain, and the release that it stands for. */
export interface ChainNode {
  /** The release's name; where none is stored, what the chain calls it. */
  readonly key: string;
  /** As a person knows it. */
  readonly label: string;
  readonly version: SemVer | undefined;
  readonly release: Stored<ReleaseDocument> | undefined;
}

/** How the chains want to be walked: `shortest` as soon as one of them says so, by way of the stops of all of them. */
export interface Walking {
  readonly path: 'every' | 'shortest';
  /** Keys of nodes. */
  readonly stops: readonly string[];
}

/** Which version may follow which, of all chains of an application together. */
export class ChainGraph implements Walking {
  readonly nodes = new Map<string, ChainNode>();
  private readonly edges = new Map<string, string[]>();
  /** By `from to`: the first ServiceTemplateChain that has the edge. */
  private readonly templateChains = new Map<string, string>();
  path: 'every' | 'shortest' = 'every';
  readonly stops: string[] = [];

  private constructor(private readonly releases: ReadonlyArray<Stored<ReleaseDocument>>) {}

  static of(
    chains: ReadonlyArray<Stored<ChainDocument>>,
    releases: ReadonlyArray<Stored<ReleaseDocument>>,
  ): ChainGraph {
    const graph = new ChainGraph(releases);
    for (const { document } of chains) graph.add(document);
    return graph;
  }

  successors(key: string): readonly string[] {
    return this.edges.get(key) ?? [];
  }

  /** The ServiceTemplateChain that lets one follow the other, where there is one: k0rdent wants it named. */
  templateChainOf(from: string, to: string): string | undefined {
    return this.templateChains.get(`${from} ${to}`);
  }

  /** Every edge as `from → to`, in the order of the documents. */
  edgeLabels(): string[] {
    return [...this.edges].flatMap(([from, nexts]) =>
      nexts.map((to) => `${this.label(from)} → ${this.label(to)}`),
    );
  }

  label(key: string): string {
    return this.nodes.get(key)?.label ?? key;
  }

  private add(document: ChainDocument): void {
    switch (document.kind) {
      case 'UpgradeChain': {
        const { spec } = document;
        if (spec.path === 'shortest') this.path = 'shortest';
        for (const { version, availableUpgrades } of spec.supportedVersions) {
          const from = this.ofVersion(version);
          for (const to of availableUpgrades) this.link(from, this.ofVersion(to));
        }
        for (const stop of spec.requiredStops) {
          const key = this.ofVersion(stop);
          if (!this.stops.includes(key)) this.stops.push(key);
        }
        return;
      }
      case 'ServiceTemplateChain':
        for (const { name, version, availableUpgrades } of document.spec.supportedTemplates ?? []) {
          const from = this.ofTemplate(name, version);
          for (const one of availableUpgrades ?? []) {
            const to = this.ofTemplate(one.name, one.version);
            this.link(from, to);
            const edge = `${from} ${to}`;
            if (!this.templateChains.has(edge))
              this.templateChains.set(edge, document.metadata.name);
          }
        }
        return;
      default:
        assertNever(document, 'chain');
    }
  }

  /** A version that leads to itself leads nowhere. */
  private link(from: string, to: string): void {
    const nexts = this.edges.get(from) ?? [];
    this.edges.set(from, nexts);
    if (from !== to && !nexts.includes(to)) nexts.push(to);
  }

  private ofVersion(version: string): string {
    const parsed = semverOf(version);
    const release =
      this.releases.find(({ document }) => document.spec.version === version) ??
      this.releases.find(
        ({ document }) =>
          parsed !== undefined &&
          // `2.0` in the chain is `2.0.0` of the release
          semverOf(document.spec.version)?.version === parsed.version,
      );
    return this.node(release?.document.metadata.name ?? version, version, release, parsed);
  }

  /** The release of its name, else one that has the template: several applications may have the same. */
  private ofTemplate(name: string, version: string | undefined): string {
    const reference = templateReference(name);
    const release =
      this.releases.find(({ document }) => document.metadata.name === name) ??
      this.releases.find(({ document }) =>
        Object.values(document.spec.components).some(({ image }) => image === reference),
      );
    const text = version ?? release?.document.spec.version;
    return this.node(
      release?.document.metadata.name ?? name,
      text ?? name,
      release,
      text === undefined ? undefined : semverOf(text),
    );
  }

  private node(
    key: string,
    label: string,
    release: Stored<ReleaseDocument> | undefined,
    version: SemVer | undefined,
  ): string {
    const known = this.nodes.get(key);
    if (known === undefined || (known.version === undefined && version !== undefined))
      this.nodes.set(key, {
        key,
        label: release?.document.spec.version ?? label,
        version,
        release,
      });
    return key;
  }
}
