import type { Issue } from '#kernel';
import { pointerOf } from '../json-pointer.js';
import type { ServiceTemplateChainDocument, UpgradeChainDocument } from './chains.js';

/** What is wrong with a chain of ours, whatever other documents say. */
export function issuesOfUpgradeChain({ spec }: UpgradeChainDocument): Issue[] {
  const issues: Issue[] = [];
  const known = spec.supportedVersions.map(({ version }) => version);
  const at = (...rest: ReadonlyArray<string | number>): string => pointerOf('spec', ...rest);
  spec.supportedVersions.forEach(({ version, availableUpgrades }, index) => {
    if (known.indexOf(version) < index)
      issues.push({
        pointer: at('supportedVersions', index, 'version'),
        message: `${version} stands here twice`,
      });
    availableUpgrades.forEach((next, position) => {
      const pointer = at('supportedVersions', index, 'availableUpgrades', position);
      if (next === version) issues.push({ pointer, message: `${version} leads to itself` });
      else if (!known.includes(next))
        issues.push({ pointer, message: `${next} is not among the supported versions` });
      else if (availableUpgrades.indexOf(next) < position)
        issues.push({ pointer, message: `${next} stands here twice` });
    });
  });
  spec.requiredStops.forEach((stop, index) => {
    const pointer = at('requiredStops', index);
    if (!known.includes(stop))
      issues.push({ pointer, message: `${stop} is not among the supported versions` });
  });
  if (spec.requiredStops.length > 0 && spec.path !== 'shortest')
    issues.push({
      pointer: at('requiredStops'),
      message: 'is of use with path: shortest only: path: every walks all versions',
    });
  return issues;
}

/** As k0rdent validates a chain; that a template leads to itself is let pass, as it does, and leads nowhere. */
export function issuesOfTemplateChain({ spec }: ServiceTemplateChainDocument): Issue[] {
  const issues: Issue[] = [];
  const templates = spec.supportedTemplates ?? [];
  const names = templates.map(({ name }) => name);
  const entries = templates.flatMap((template, index) => [
    { ...template, pointer: pointerOf('spec', 'supportedTemplates', index) },
    ...(template.availableUpgrades ?? []).map((one, position) => ({
      ...one,
      pointer: pointerOf('spec', 'supportedTemplates', index, 'availableUpgrades', position),
    })),
  ]);
  const versioned = entries.some(({ version }) => version !== undefined);
  const versions = new Map<string, string>();
  for (const { name, version, pointer } of entries) {
    if (version === undefined) {
      if (versioned)
        issues.push({
          pointer: `${pointer}/version`,
          message: 'is missing: a version stands beside all templates or beside none',
        });
      continue;
    }
    const other = versions.get(name) ?? version;
    versions.set(name, other);
    if (other !== version)
      issues.push({
        pointer: `${pointer}/version`,
        message: `is ${version}, and elsewhere the version of ${name} is ${other}`,
      });
  }
  templates.forEach(({ name, availableUpgrades }, index) => {
    const pointer = pointerOf('spec', 'supportedTemplates', index);
    if (names.indexOf(name) < index)
      issues.push({ pointer: `${pointer}/name`, message: `${name} stands here twice` });
    (availableUpgrades ?? []).forEach((next, position) => {
      if (names.includes(next.name)) return;
      issues.push({
        pointer: `${pointer}/availableUpgrades/${position}/name`,
        message: `template ${next.name} is allowed for upgrade but is not present in the list of spec.supportedTemplates`,
      });
    });
  });
  return issues;
}
