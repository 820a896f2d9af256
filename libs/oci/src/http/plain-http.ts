/** As it is: an `import` reads each of its exports, and its WebSocket loads all of undici then, 35 ms of a program's start. */
export const plainHttp = process.getBuiltinModule('node:http');
