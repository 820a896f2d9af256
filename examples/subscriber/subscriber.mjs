// Prints the life of every upgrade as CloudEvents, with credentials that may read events and nothing else.
import { readFileSync } from 'node:fs';
import { connect } from '@nats-io/transport-node';

const { subscriber } = JSON.parse(readFileSync('.liftlock/client.json', 'utf8'));
const nats = await connect({ ...subscriber, maxReconnectAttempts: -1 });
const [environment = '*', application = '*'] = process.argv.slice(2);
const events = nats.subscribe(`liftlock.event.${environment}.${application}.>`);
await nats.flush();
console.error(`listening on ${events.getSubject()}`);
for await (const event of events) console.log(event.string());
