/** For the first who speaks TLS: to load it takes 20 ms of a program's start, and of another thread to read its list of CAs. */
export const secureHttp = (): typeof import('node:https') => process.getBuiltinModule('node:https');

/** As `secureHttp`. */
export const tls = (): typeof import('node:tls') => process.getBuiltinModule('node:tls');
