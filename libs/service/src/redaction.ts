/** Paths in a log line whose values never appear. */
export const REDACTED = [
  'req.headers.authorization',
  'req.headers.cookie',
  'password',
  'token',
  'secret',
  '*.password',
  '*.secret',
  '*.authorization',
] as const;
