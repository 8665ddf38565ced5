// The real libpam in this process: what our words do to it, and that nothing unwinds through its frames.
import '../support/throwaway';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bytes, fromText } from '../../src/bytes';
import { type Conversation, converseWith } from '../../src/pam/conversation';
import { PamError } from '../../src/pam/error';
import { PamTransaction } from '../../src/pam/transaction';
import { RecordedProfile, scratch, writeProfile } from '../support/profile';

const said: string[] = [];
beforeEach(() => {
  said.length = 0;
});

function messagesOnly(): Conversation {
  return converseWith({
    show: (text) => said.push(text),
    password: () => undefined,
    requirePasswordPrompt: true,
    person: 'nothing',
    ask: () => {
      throw new Error('nobody is here');
    },
  });
}

function start(service: string, user = 'alice', conversation = messagesOnly()) {
  return PamTransaction.start({
    service: fromText(service),
    user: fromText(user),
    conversation,
    failDelay: false,
  });
}

function failureOf(action: () => void): PamError {
  try {
    action();
  } catch (error) {
    if (error instanceof PamError) return error;
    throw error;
  }
  throw new Error('no failure');
}

test('each method makes its call, and the end is seen by modules', () => {
  const profile = new RecordedProfile();
  const transaction = start(profile.name);
  transaction.authenticate();
  transaction.accountManagement();
  transaction.establishCredentials();
  transaction.openSession();
  transaction.closeSession();
  transaction.deleteCredentials();
  transaction.end({ status: 0, keepSession: false });
  expect(profile.calls()).toEqual(['auth', 'acct', 'cred', 'open', 'close', 'delete', 'end status=0']);
});

test('an end that keeps the session is silent', () => {
  const profile = new RecordedProfile();
  const transaction = start(profile.name);
  transaction.authenticate();
  transaction.end({ status: 0, keepSession: true });
  expect(profile.calls()).toEqual(['auth', 'end status=0 silent']);
});

test.each([
  ['pam_authenticate', 'auth required pam_debug.so auth=maxtries', 'PAM_MAXTRIES', 11],
  ['pam_acct_mgmt', 'account required pam_debug.so acct=new_authtok_reqd', 'PAM_NEW_AUTHTOK_REQD', 12],
  ['pam_open_session', 'session required pam_debug.so open_session=system_err', 'PAM_SYSTEM_ERR', 4],
  ['pam_close_session', 'session required pam_debug.so close_session=session_err', 'PAM_SESSION_ERR', 14],
])('%s fails with the code of its rule', (call, rule, name, code) => {
  const transaction = start(writeProfile(rule));
  const actions: Record<string, () => void> = {
    pam_authenticate: () => transaction.authenticate(),
    pam_acct_mgmt: () => transaction.accountManagement(),
    pam_open_session: () => transaction.openSession(),
    pam_close_session: () => transaction.closeSession(),
  };
  expect(failureOf(actions[call] ?? (() => undefined))).toMatchObject({ call, name, code });
  transaction.end({ status: 0, keepSession: false });
});

test('a service that libpam cannot use gives no handle and is not ended', () => {
  writeFileSync('/etc/pam.d/test-broken', '@include nope\n');
  expect(failureOf(() => start('test-broken'))).toMatchObject({ call: 'pam_start', name: 'PAM_ABORT' });
});

test('messages are shown and answered with success', () => {
  const file = join(scratch(), 'text');
  writeFileSync(file, 'Grüße from pam_echo');
  const transaction = start(
    writeProfile(`auth required pam_echo.so file=${file}`, 'auth required pam_permit.so'),
  );
  transaction.authenticate();
  transaction.end({ status: 0, keepSession: false });
  expect(said).toEqual(['Grüße from pam_echo']);
});

test('a question is refused and its text kept with the failure', () => {
  const transaction = start(writeProfile('auth required pam_unix.so'));
  const failure = failureOf(() => transaction.authenticate());
  expect(failure.refusal).toEqual({ prompt: 'Password: ', reason: 'nobody' });
  transaction.end({ status: failure.code, keepSession: false });
});

test('a failing pam_unix does not sleep', () => {
  const transaction = start(writeProfile('auth required pam_unix.so'));
  const before = process.hrtime.bigint();
  failureOf(() => transaction.authenticate());
  const seconds = Number(process.hrtime.bigint() - before) / 1e9;
  transaction.end({ status: 7, keepSession: false });
  // pam_unix asks for two seconds; without the callback libpam sleeps at least one and a half.
  expect(seconds).toBeLessThan(1.4);
});

test('the environment holds what modules set, byte for byte', () => {
  const conf = join(scratch(), 'env.conf');
  writeFileSync(conf, Buffer.from('ONE DEFAULT=1\nRAW DEFAULT=a\xffb\n', 'latin1'));
  const transaction = start(writeProfile(`session required pam_env.so conffile=${conf} readenv=0`));
  expect(transaction.environment()).toEqual([]);
  transaction.openSession();
  expect(transaction.environment().sort()).toEqual(['ONE=1', 'RAW=a\xffb']);
  transaction.end({ status: 0, keepSession: false });
});

test('items reach the modules', () => {
  const log = join(scratch(), 'items');
  const rule = `session required pam_exec.so log=${log} quiet /usr/bin/env`;
  const transaction = start(writeProfile(rule));
  transaction.setItem('tty', fromText('/dev/pts/99'));
  transaction.setItem('ruser', fromText('caller'));
  transaction.setItem('rhost', fromText('host.example'));
  transaction.openSession();
  transaction.end({ status: 0, keepSession: false });
  const items = readFileSync(log, 'utf8');
  expect(items).toMatch(/^PAM_TTY=\/dev\/pts\/99$/m);
  expect(items).toMatch(/^PAM_RUSER=caller$/m);
  expect(items).toMatch(/^PAM_RHOST=host.example$/m);
  expect(items).toMatch(/^PAM_USER=alice$/m);
});

test('the user is the one libpam has', () => {
  const transaction = start(writeProfile('auth required pam_permit.so'), 'jörg');
  expect(transaction.user()).toBe(fromText('jörg') as Bytes);
  transaction.end({ status: 0, keepSession: false });
});

test('fifty transactions release their callbacks: koffi has room for 8192', () => {
  const koffi = jest.requireActual<typeof import('koffi')>('koffi');
  const before = koffi.stats().callbacks;
  for (let number = 0; number < 50; number++) {
    const transaction = start(writeProfile('auth required pam_permit.so'));
    transaction.authenticate();
    transaction.end({ status: 0, keepSession: false });
  }
  expect(koffi.stats().callbacks).toBe(before);
});
