/** What a registry said of a tag: the digest of its manifest, or why there is none. */
export type TagAnswer = { readonly digest: string } | { readonly problem: string };
export type TagAnswers = ReadonlyMap<string, TagAnswer>;
