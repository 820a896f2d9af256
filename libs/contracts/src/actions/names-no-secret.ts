/** Whether a text refers to no secret, not even in another spelling: for what others may see. */
export function namesNoSecret(text: string): boolean {
  return !/\$\{\s*LIFTLOCK_SECRET/i.test(text);
}
