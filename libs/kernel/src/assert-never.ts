/** Ends a `switch` over a union: the compiler refuses it as long as one member is not handled. */
export function assertNever(value: never, what = 'value'): never {
  throw new Error(`Unhandled ${what}: ${JSON.stringify(value)}`);
}
