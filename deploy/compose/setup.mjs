// Runs once before the services: makes the database's roles and schemas, the broker's users, and each service's environment, with passwords
// of their own that are made at the first run and kept in a volume of its own. Running it again changes nothing.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { APPS, natsUsers, subscriberUser } from '../../dist/libs/contracts/src/index.js';
import {
  natsConfiguration,
  newPassword,
  newPasswords,
  provisionDatabase,
  serviceDatabaseUrl,
} from '../../dist/libs/fleet/src/index.js';

const admin = new URL('postgres://postgres@postgres:5432/postgres');
admin.password = process.env.POSTGRES_PASSWORD ?? '';
if (admin.password === '') {
  console.error(
    'POSTGRES_PASSWORD is missing: copy deploy/compose/env.example to .env beside docker-compose.yml, and fill it in',
  );
  process.exit(2);
}
const secrets = readSecrets();
await provisionDatabase(admin.href, secrets.database);
const users = [...natsUsers(secrets.nats), subscriberUser('subscriber', secrets.subscriber, '*')];
write('redis/redis.conf', redisConfiguration(secrets.redis), 0o644); // its image runs it as a user of its own
write('nats/nats.conf', natsConfiguration('liftlock', 4222, '/data/jetstream', users, '0.0.0.0'));
for (const app of APPS) {
  const lines = {
    DATABASE_URL: serviceDatabaseUrl(admin.href, app, secrets.database[app]),
    NATS_URL: 'nats://nats:4222',
    NATS_USER: app,
    NATS_PASSWORD: secrets.nats[app],
    PORT: '7480',
    LIFTLOCK_LISTEN: '0.0.0.0',
    LIFTLOCK_DATA: '/data',
    ...(app === 'executor' ? { REDIS_URL: `redis://:${secrets.redis}@redis:6379` } : {}),
    ...(app === 'gateway' ? { LIFTLOCK_BOOTSTRAP_TOKEN: secrets.token } : {}),
  };
  const text = Object.entries(lines).map(([name, value]) => `${name}=${value}\n`);
  write(`${app}/service.env`, text.join(''));
}

function readSecrets() {
  const file = 'secrets/secrets.json';
  try {
    return JSON.parse(readFileSync(join('/config', file), 'utf8'));
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  const made = {
    database: newPasswords(APPS),
    nats: newPasswords(APPS),
    redis: newPassword(),
    subscriber: newPassword(),
    token: newPassword(),
  };
  write(file, JSON.stringify(made));
  return made;
}

/** BullMQ's keys must never be thrown away; no snapshots, since the append-only file holds all. */
function redisConfiguration(password) {
  return `requirepass ${password}
bind 0.0.0.0
dir /data
appendonly yes
save ""
maxmemory-policy noeviction
`;
}

function write(name, text, mode = 0o640) {
  const file = join('/config', name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode });
}
