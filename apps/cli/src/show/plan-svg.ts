import type { Plan, Step } from '#contracts';
import { printable } from './text.js';

const BOX = { width: 220, height: 44, gap: 12 } as const;
const COLUMN = BOX.width + 60;
const TOP = 64;

interface Column {
  readonly head: string;
  readonly name: string;
  readonly boxes: ReadonlyArray<{ readonly first: string; readonly second: string }>;
  /** Nothing leads to it. */
  readonly isApart?: true;
}

/** A plan as a picture: a column for each wave, a box for each lane, from left to right; one for what is done once before and behind them, and one for what is left out. */
export function planSvg(plan: Plan): string {
  const { before = [], after = [] } = plan.applicationHooks ?? {};
  const columns: Column[] = [
    ...hookColumn('before the first wave', before),
    ...plan.hops.flatMap((hop) =>
      hop.waves.map(({ lanes }, index) => ({
        head: index === 0 ? `${hop.from} --> ${hop.to}` : '',
        name: `wave ${index + 1} of ${hop.waves.length}`,
        boxes: lanes.map(({ instance: first, from, to }) => ({
          ...{ first, second: `${from} --> ${to}` },
        })),
      })),
    ),
    ...hookColumn('after the last wave', after),
    ...leftOutColumn(plan),
  ];
  const tallest = Math.max(1, ...columns.map(({ boxes }) => boxes.length));
  const width = 20 + columns.length * COLUMN;
  const height = TOP + tallest * (BOX.height + BOX.gap) + 20;
  const parts = columns.flatMap(({ boxes, head, name }, column) => {
    const x = 20 + column * COLUMN;
    const arrow = `M${x + BOX.width + 8} ${TOP + BOX.height / 2}h36m-8 -6l8 6l-8 6`;
    return [
      label(x, 22, head, 'font-weight="bold"'),
      label(x, 46, name, 'fill="#555"'),
      ...boxes.flatMap(({ first, second }, row) => {
        const y = TOP + row * (BOX.height + BOX.gap);
        return [
          `<rect x="${x}" y="${y}" width="${BOX.width}" height="${BOX.height}" rx="6" fill="#eef4fb" stroke="#3b6ea5"/>`,
          label(x + 10, y + 18, first),
          label(x + 10, y + 35, second, 'fill="#555"'),
        ];
      }),
      ...(columns[column + 1] !== undefined && columns[column + 1]?.isApart !== true
        ? [`<path d="${arrow}" fill="none" stroke="#3b6ea5"/>`]
        : []),
    ];
  });
  const title = `${plan.environment}/${plan.application} ${plan.from} --> ${plan.to}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="100%" height="100%" fill="white"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

/** Which hook, and where: what it does would be wider than a box. */
function hookColumn(name: string, steps: readonly Step[]): Column[] {
  if (steps.length === 0) return [];
  const boxes = steps.map(({ id, action, component, target }) => ({
    first: id.slice(id.indexOf('/') + 1),
    second: component === undefined ? action : `${action} in ${component}@${target.name}`,
  }));
  return [{ head: '', name, boxes }];
}

function leftOutColumn({ changes }: Plan): Column[] {
  const out = changes.filter(({ leftOut }) => leftOut === true);
  if (out.length === 0) return [];
  const boxes = out.map(({ instance: first, from: second }) => ({ first, second }));
  return [{ head: '', name: 'left out', boxes, isApart: true }];
}

function label(x: number, y: number, text: string, more = ''): string {
  return `<text x="${x}" y="${y}" ${more}>${escaped(text)}</text>`;
}

function escaped(text: string): string {
  return printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
