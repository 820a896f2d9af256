import type { KubeObject } from './objects.js';

interface Marks {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Who sets an object back as it was, with the name of what the object is part of there. */
const OWNERS: ReadonlyArray<{
  readonly who: string;
  readonly named: (marks: Marks) => string | undefined;
}> = [
  {
    who: 'flux',
    named: ({ labels }) =>
      pair(labels, 'HelmRelease', 'helm.toolkit.fluxcd.io') ??
      pair(labels, 'Kustomization', 'kustomize.toolkit.fluxcd.io'),
  },
  {
    who: 'argocd',
    // `<application>:<group>/<kind>:<namespace>/<name>`; with tracking by label that label alone says it
    named: ({ labels, annotations }) =>
      annotations['argocd.argoproj.io/tracking-id']?.split(':')[0] ??
      annotations['argocd.argoproj.io/instance'] ??
      labels['argocd.argoproj.io/instance'] ??
      (Object.keys({ ...labels, ...annotations }).some((key) =>
        key.startsWith('argocd.argoproj.io/'),
      )
        ? labels['app.kubernetes.io/instance']
        : undefined),
  },
  {
    who: 'helm',
    named: ({ labels, annotations }) => {
      const release = annotations['meta.helm.sh/release-name'];
      if (release === undefined) return undefined;
      if (labels['app.kubernetes.io/managed-by'] !== 'Helm') return undefined;
      const namespace = annotations['meta.helm.sh/release-namespace'];
      return namespace === undefined ? release : `${namespace}/${release}`;
    },
  },
];

/**
 * Who made an object and would undo what we do to it: `helm:<namespace>/<release>`, `argocd:<application>`,
 * `flux:<kind>/<namespace>/<name>`, or `controller:<kind>.<group>/<name>` of what controls a custom resource.
 */
export function ownerOf({ metadata }: KubeObject): string | undefined {
  const marks = { labels: metadata.labels ?? {}, annotations: metadata.annotations ?? {} };
  for (const { who, named } of OWNERS) {
    const name = named(marks);
    if (name !== undefined) return `${who}:${name}`;
  }
  const controller = metadata.ownerReferences?.find((one) => one.controller === true);
  if (controller === undefined) return undefined;
  const [group] = controller.apiVersion.split('/').slice(0, -1);
  return `controller:${[controller.kind, group].filter(Boolean).join('.')}/${controller.name}`;
}

function pair(labels: Marks['labels'], kind: string, prefix: string): string | undefined {
  const [name, namespace] = [labels[`${prefix}/name`], labels[`${prefix}/namespace`]];
  if (name === undefined) return undefined;
  return [kind, ...(namespace === undefined ? [] : [namespace]), name].join('/');
}
