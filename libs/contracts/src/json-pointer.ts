/** One token of a JSON Pointer (RFC 6901). */
export function pointerToken(token: string | number): string {
  const text = String(token);
  // most have neither, and a large fleet has many
  if (!text.includes('~') && !text.includes('/')) return text;
  return text.replaceAll('~', '~0').replaceAll('/', '~1');
}

export function pointerOf(...tokens: ReadonlyArray<string | number>): string {
  let pointer = '';
  for (const token of tokens) pointer += `/${pointerToken(token)}`;
  return pointer;
}
