import type { TrustRule } from '#contracts';
import { LiftlockError } from '#kernel';
import { requireSignature, trustedKey, type ImageSource, type RawManifest } from '#oci';

/**
 * Whether an image keeps the rules that are about it.
 * @returns what a person should know: rules that it need not keep, and does not
 * @throws LiftlockError `image_untrusted` naming the image, the rule and what was found
 */
export async function assertTrusted(
  source: ImageSource,
  image: RawManifest,
  rules: readonly TrustRule[],
  signal: AbortSignal,
): Promise<string[]> {
  const warnings: string[] = [];
  for (const rule of rules) {
    const keys = rule.keys.map((pem, index) =>
      trustedKey(`key ${index + 1} of the trust rule ${rule.images}`, pem),
    );
    try {
      await requireSignature(source, image, keys, signal);
    } catch (thrown) {
      const error = LiftlockError.from(thrown);
      if (rule.required || error.code !== 'image_untrusted') throw error;
      warnings.push(error.message);
    }
  }
  return warnings;
}
