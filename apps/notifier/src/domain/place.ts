/** What may be said of a URL: its path and its query may be as good as a password, and often are. */
export function placeOf(url: string): string {
  return new URL(url).origin;
}
