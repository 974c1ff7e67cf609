// What a monitoring script does, with ami-io: log in, list, un-register, register, run a command, wait for the events.
// Prints one JSON object a line. Called with: port user password.
'use strict';
const AmiIo = require('ami-io');

const [port, login, password] = process.argv.slice(2);
const client = AmiIo.createClient({ port: Number(port), host: '127.0.0.1', login, password, logger: new AmiIo.SilentLogger() });
const say = (what, value) => console.log(JSON.stringify({ what, value }));

function make(name, fields) {
  // Actions that ami-io has no class for are made of one that it has.
  const action = new AmiIo.Action.Ping();
  action.set('Action', name);
  for (const [key, value] of Object.entries(fields || {})) action.set(key, value);
  return action;
}
const ask = (name, fields) => new Promise((resolve, reject) => {
  client.send(make(name, fields), (error, data) => (error ? reject(error) : resolve(data)));
});
const registry = (status) => new Promise((resolve) => {
  const look = (event) => {
    if (event.event === 'Registry' && event.status === status && event.username === 'sip:alice@inside') {
      client.removeListener('event', look);
      resolve(event);
    }
  };
  client.on('event', look);
});

client.on('incorrectLogin', () => { say('login', 'refused'); process.exit(0); });
client.on('incorrectServer', () => { say('login', 'no server'); process.exit(1); });
const all = (last) => new Promise((resolve) => {
  const events = [];
  const look = (event) => {
    events.push(event);
    if (event.event === last) {
      client.removeListener('rawEvent', look);
      resolve(events);
    }
  };
  client.on('rawEvent', look);
});
const LIST = 'OutboundRegistrationDetail';

client.on('connected', async () => {
  say('login', client.getVersion());
  const listed = all(`${LIST}Complete`);
  say('answer', (await ask('PJSIPShowRegistrationsOutbound')).eventlist);
  const list = (await listed).filter((event) => event.event.startsWith(LIST) || event.event === 'AuthDetail');
  say('list', list.map((event) => [event.event, event.objectname, event.status, event.password]));
  let told = registry('Unregistered');
  say('unregister', (await ask('PJSIPUnregister', { Registration: 'alice' })).message);
  say('event', (await told).status);
  told = registry('Registered');
  say('register', (await ask('PJSIPRegister', { Registration: 'alice' })).message);
  say('event', (await told).status);
  say('ping', (await ask('Ping')).ping);
  say('unknown', await ask('QueueStatus').catch((error) => error.message));
  say('reload', (await ask('Reload')).message);
  client.disconnect();
});
client.connect();
