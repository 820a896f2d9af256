const WIDTH = 24;

/** `██████░░░░░░░░░░░░░░░░░░`: empty where nothing is known of the whole. */
export function bar(done: number, total: number): string {
  const filled = total === 0 ? 0 : Math.round(Math.min(1, done / total) * WIDTH);
  return `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)}`;
}
