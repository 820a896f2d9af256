import { takeShareOfPorts } from '#fleet';

/** The run's main process has the first share; a worker has the one of its place among those that run at the same time. */
const PORT_SHARES = 8;

const place = Number(process.env['VITEST_POOL_ID'] ?? 0);
takeShareOfPorts(place % PORT_SHARES, PORT_SHARES);
