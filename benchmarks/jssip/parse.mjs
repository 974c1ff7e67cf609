// JsSIP makes the same work as the Python subjects of bench_syntax, and times itself.
//
// Takes {kinds: {name: [message, ...]}, written, challenged, challenges, branches, runs, batch, warm_up, user, password,
// uri} as JSON on standard input. Gives {version, node, parse, read, values, write, samples} on standard output:
// microseconds of CPU for one message, and what the first message of each kind gave, so that the caller can compare.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

const Parser = require('jssip/lib/Parser.js');
const { OutgoingRequest } = require('jssip/lib/SIPMessage.js');
const Grammar = require('jssip/lib/Grammar.js');
const DigestAuthentication = require('jssip/lib/DigestAuthentication.js');
const URI = require('jssip/lib/URI.js');
const { version } = require('jssip/package.json');

const input = JSON.parse(readFileSync(0, 'utf8'));
const ua = { configuration: { uri: URI.parse(`sip:${input.user}@example.com`), user_agent: 'Benchmark/1.0' } };
const credentials = { username: input.user, password: input.password };

function parse(text) {
  const message = Parser.parseMessage(text, ua);
  if (message === undefined) throw new Error(`JsSIP cannot parse:\n${text}`);
  return message;
}

function number(text) {
  return text === undefined ? null : Number(text);
}

function read(text) {
  const message = parse(text);
  const via = message.via;
  const contacts = [];
  for (let count = message.getHeaders('contact').length, at = 0; at < count; at++) {
    const contact = message.parseHeader('contact', at);
    contacts.push([
      contact.uri.user, contact.uri.host, contact.uri.port, contact.uri.getParam('transport'),
      number(contact.getParam('expires')), contact.getParam('q'),
    ]);
  }
  return [
    via.host, via.port, via.branch, via.received, via.rport,
    message.from.uri.user, message.from.uri.host, message.from_tag,
    message.to.uri.user, message.to.uri.host, message.to_tag,
    message.call_id, message.cseq, message.parseHeader('cseq').method,
    contacts, number(message.getHeader('expires')), [],
  ];
}

// From header values and not from the message: of several WWW-Authenticate headers JsSIP's parser keeps the last only.
function answerValues(values) {
  const [challenge] = values.map(challengeOf);
  return digestFor(challenge).toString();
}

function challengeOf(value) {
  const challenge = Grammar.parse(value, 'WWW_Authenticate');
  if (challenge === -1) throw new Error(`JsSIP cannot parse: ${value}`);
  return challenge;
}

function digestFor(challenge) {
  const digest = new DigestAuthentication(credentials);
  if (!digest.authenticate({ method: 'REGISTER', ruri: input.uri, body: null }, challenge)) throw new Error('no answer');
  return digest;
}

// What JsSIP's Registrator keeps: it makes each REGISTER anew from its parameters, and so is it done here.
function prepare(index) {
  const message = parse(input.kinds[input.written][index]);
  const challenge = challengeOf(input.challenges[index][0]);
  const digest = digestFor(challenge);
  const contact = message.getHeader('contact');
  const expires = message.getHeader('expires');
  const route = message.getHeaders('route');
  const via = message.getHeader('via').split(';branch=')[0];
  const parameters = {
    to_uri: message.to.uri, call_id: message.call_id, cseq: message.cseq, from_tag: message.from_tag, route_set: route,
  };
  return { challenge, digest, contact, expires, via, parameters };
}

function refresh(state, branch) {
  state.parameters.cseq += 1;
  const request = new OutgoingRequest('REGISTER', input.uri, ua, state.parameters, [
    `Contact: ${state.contact}`, `Expires: ${state.expires}`,
  ]);
  request.setHeader('via', `${state.via};branch=${branch}`);
  state.digest.authenticate(request, state.challenge);
  request.setHeader('authorization', state.digest.toString());
  return request.toString();
}

// The least of several runs of each batch, as for the Python subjects.
function measure(count, task, setUp = null) {
  const least = new Map();
  for (let run = 0; run < input.runs; run++) {
    for (let start = 0; start < count; start += input.batch) {
      const end = Math.min(count, start + input.batch);
      const states = [];
      for (let at = start; setUp !== null && at < end; at++) states.push(setUp(at));
      const began = process.cpuUsage();
      for (let at = start; at < end; at++) task(at, states[at - start]);
      const { user, system } = process.cpuUsage(began);
      least.set(start, Math.min(user + system, least.get(start) ?? Infinity));
    }
  }
  return [...least.values()].reduce((sum, value) => sum + value, 0) / count;
}

// Node compiles what has run often enough: nobody's first thousand messages count.
for (const messages of Object.values(input.kinds)) {
  for (let at = 0; at < input.warm_up; at++) read(messages[at % messages.length]);
}

const output = { version, node: process.version, parse: {}, read: {}, samples: { read: {} } };
for (const [kind, messages] of Object.entries(input.kinds)) {
  output.parse[kind] = measure(messages.length, (at) => parse(messages[at]));
  if (kind === input.challenged) continue;
  output.read[kind] = measure(messages.length, (at) => read(messages[at]));
  output.samples.read[kind] = read(messages[0]);
}
output.values = measure(input.challenges.length, (at) => answerValues(input.challenges[at]));
output.samples.values = answerValues(input.challenges[0]);
output.write = measure(input.branches.length, (at, state) => refresh(state, input.branches[at]), prepare);
output.samples.write = refresh(prepare(0), input.branches[0]);
process.stdout.write(JSON.stringify(output));
