// The sequence and its undo, with a transaction and a machine that write down what is asked of them.

import type { Bytes } from '../../../src/bytes';
import { fromText } from '../../../src/bytes';
import { type CommandEnd, Failure } from '../../../src/errors';
import { type PamCall, PamError } from '../../../src/pam/error';
import type { Transaction } from '../../../src/pam/transaction';
import type { SessionPlan } from '../../../src/session/plan';
import { runSession } from '../../../src/session/run';
import type { SessionSystem } from '../../../src/session/session-system';

const ALICE = {
  name: fromText('alice'),
  uid: 2001,
  gid: 2001,
  home: fromText('/home/alice'),
  shell: fromText('/bin/bash'),
};

function plan(changes: Partial<SessionPlan> = {}): SessionPlan {
  return {
    account: ALICE,
    privilege: 'root',
    pam: { value: true, origin: { from: 'default' } },
    profile: { service: 'su', file: '/etc/pam.d/su', text: '', origin: { from: 'default' } },
    items: { tty: undefined, ruser: fromText('root'), rhost: undefined },
    command: { file: fromText('R'), argv: [fromText('R')] },
    commandOrigin: { from: 'default' },
    directory: { value: undefined, origin: { from: 'default' } },
    environment: {
      account: ALICE,
      loginPath: fromText('/usr/bin:/bin'),
      caller: new Map(),
      preserve: 'none',
      ldLibraryPath: undefined,
      set: [],
    },
    onExit: { value: 'keep', origin: { from: 'default' } },
    stopTimeout: { value: 10, origin: { from: 'default' } },
    exec: false,
    password: { value: { from: 'none' }, origin: { from: 'default' } },
    conversation: { requirePasswordPrompt: true, allowSwap: false, person: 'nothing' },
    newSession: true,
    warnings: [],
    ...changes,
  };
}

/** The step that fails, and with which code. */
interface Broken {
  readonly step?: string;
  readonly code?: number;
}

class Scene {
  readonly calls: string[] = [];
  readonly warnings: string[] = [];
  user = ALICE.name;
  account: typeof ALICE | undefined = ALICE;
  signal: number | undefined;
  forgotten = 0;
  end: CommandEnd = { code: 0 };
  environment: readonly Bytes[] = [];

  constructor(readonly broken: Broken = {}) {}

  run(changes: Partial<SessionPlan> = {}): Promise<CommandEnd> {
    return runSession(plan(changes), this.system(), {
      step: () => undefined,
      warn: (text) => this.warnings.push(text),
    });
  }

  #call(call: PamCall, name: string): void {
    this.calls.push(name);
    if (this.broken.step === name) throw new PamError({ call, code: this.broken.code ?? 7, text: 'no' });
  }

  #do(name: string): void {
    this.calls.push(name);
    if (this.broken.step === name) throw new Failure('internal', `${name} failed`);
  }

  transaction(): Transaction {
    return {
      setItem: (item) => this.#call('pam_set_item', `item ${item}`),
      authenticate: () => this.#call('pam_authenticate', 'authenticate'),
      accountManagement: () => this.#call('pam_acct_mgmt', 'account'),
      changeExpiredPassword: () => this.#call('pam_chauthtok', 'change password'),
      user: () => this.user,
      establishCredentials: () => this.#call('pam_setcred', 'establish'),
      deleteCredentials: () => this.#call('pam_setcred', 'delete'),
      openSession: () => this.#call('pam_open_session', 'open'),
      closeSession: () => this.#call('pam_close_session', 'close'),
      environment: () => [...this.environment],
      end: ({ status, keepSession }) => this.#call('pam_end', `end ${status}${keepSession ? ' silent' : ''}`),
    };
  }

  system(): SessionSystem {
    return {
      startTransaction: () => {
        this.#call('pam_start', 'start');
        return this.transaction();
      },
      takePassword: () => this.#do('take password'),
      forgetPassword: () => {
        this.forgotten++;
      },
      watchMounts: () => ({ opened: () => undefined, left: () => [] }),
      findAccount: () => this.account,
      joinGroups: () => this.#do('groups'),
      prepareLimits: () => this.#do('prepare limits'),
      takeSessionLimits: () => this.#do('take limits'),
      restoreLimits: () => undefined,
      mayRaiseLimits: () => false,
      holdSignals: () => this.#do('hold signals'),
      arrivedSignal: async () => this.signal,
      start: (_account, _privilege, { environment }) => {
        this.#do('spawn');
        this.environment = environment;
        return 42;
      },
      replace: () => {
        this.#do('exec');
        throw new Failure('not-found', 'R: command not found');
      },
      supervise: async () => {
        this.#do('wait');
        return this.end;
      },
    };
  }
}

const OPENED = [
  'start',
  'item ruser',
  'authenticate',
  'account',
  'groups',
  'hold signals',
  'establish',
  'prepare limits',
  'open',
  'take limits',
];
const upTo = (step: string): string[] => OPENED.slice(0, OPENED.indexOf(step) + 1);

describe('when a step fails, exactly what was done is undone', () => {
  test.each([
    { step: 'start', code: 26, undo: [] },
    { step: 'item ruser', code: 5, undo: ['end 5'] },
    { step: 'authenticate', code: 7, undo: ['end 7'] },
    { step: 'account', code: 13, undo: ['end 13'] },
    { step: 'groups', code: 0, undo: ['end 26'] },
    { step: 'establish', code: 17, undo: ['end 17'] },
    { step: 'prepare limits', code: 0, undo: ['delete', 'end 26'] },
    { step: 'open', code: 14, undo: ['close', 'delete', 'end 14'] },
    { step: 'take limits', code: 0, undo: ['close', 'delete', 'end 26'] },
  ])('$step', async ({ step, code, undo }) => {
    const scene = new Scene({ step, code });
    await expect(scene.run()).rejects.toThrow(Failure);
    expect(scene.calls).toEqual([...upTo(step), ...undo]);
  });

  test.each(['keep', 'close'] as const)('spawn, although the policy is %s', async (policy) => {
    const scene = new Scene({ step: 'spawn' });
    await expect(scene.run({ onExit: { value: policy, origin: { from: 'default' } } })).rejects.toThrow();
    expect(scene.calls).toEqual([...OPENED, 'spawn', 'close', 'delete', 'end 26']);
  });

  test('execve of --exec', async () => {
    const scene = new Scene();
    await expect(scene.run({ exec: true })).rejects.toThrow('R: command not found');
    expect(scene.calls).toEqual([...upTo('open'), 'exec', 'close', 'delete', 'end 26']);
  });
});

describe('when the command has ended', () => {
  test('keep ends the transaction silently and calls nothing else', async () => {
    const scene = new Scene();
    await expect(scene.run()).resolves.toEqual({ code: 0 });
    expect(scene.calls).toEqual([...OPENED, 'spawn', 'wait', 'end 0 silent']);
  });

  test('close closes the session, deletes the credentials and ends the transaction', async () => {
    const scene = new Scene();
    scene.end = { signal: 9, coreDumped: false };
    await expect(scene.run({ onExit: { value: 'close', origin: { from: 'default' } } })).resolves.toEqual(
      scene.end,
    );
    expect(scene.calls).toEqual([...OPENED, 'spawn', 'wait', 'close', 'delete', 'end 0']);
  });

  test.each(['close', 'delete', 'end 0'])('a failing %s is a warning, and the rest is done', async (step) => {
    const scene = new Scene({ step, code: 14 });
    scene.end = { code: 3 };
    await expect(scene.run({ onExit: { value: 'close', origin: { from: 'default' } } })).resolves.toEqual({
      code: 3,
    });
    expect(scene.calls.slice(-3)).toEqual(['close', 'delete', 'end 0']);
    expect(scene.warnings).toEqual([expect.stringContaining('PAM_SESSION_ERR')]);
  });
});

test('a signal that arrives while the session opens undoes it and is named in the failure', async () => {
  const scene = new Scene();
  scene.signal = 15;
  await expect(scene.run()).rejects.toMatchObject({ kind: 'interrupted', signal: 15 });
  expect(scene.calls).toEqual([...OPENED, 'close', 'delete', 'end 26']);
});

test('a module that changes the user is refused', async () => {
  const scene = new Scene();
  scene.user = fromText('root');
  await expect(scene.run()).rejects.toMatchObject({ kind: 'user-changed' });
  expect(scene.calls).toEqual([...upTo('account'), 'end 26']);
});

test.each([
  ['vanishes', undefined],
  ['gets another user id', { ...ALICE, uid: 0 }],
])('an account that %s during authentication is refused', async (_what, account) => {
  const scene = new Scene();
  scene.account = account;
  await expect(scene.run()).rejects.toMatchObject({ kind: 'user-changed' });
  expect(scene.calls).toEqual([...upTo('account'), 'end 26']);
});

test('the account as it is after authentication counts', async () => {
  const scene = new Scene();
  scene.account = { ...ALICE, home: fromText('/new/home') };
  await scene.run();
  expect(scene.environment).toContain('HOME=/new/home');
});

test('without PAM the identity, groups and limits are all there is', async () => {
  const scene = new Scene();
  await scene.run({ pam: { value: false, origin: { from: 'default' } } });
  expect(scene.calls).toEqual(['groups', 'hold signals', 'prepare limits', 'take limits', 'spawn', 'wait']);
});

test('the user itself does not set groups', async () => {
  const scene = new Scene();
  await scene.run({ privilege: 'same-user' });
  expect(scene.calls).not.toContain('groups');
});

test("PAM's variables reach the command", async () => {
  const scene = new Scene();
  scene.environment = [fromText('KRB5CCNAME=FILE:/tmp/x')];
  await scene.run();
  expect(scene.environment).toContain('KRB5CCNAME=FILE:/tmp/x');
});

describe('with a password', () => {
  const password = { value: { from: 'stdin' }, origin: { from: 'default' } } as const;

  test('it is taken before anything is opened and forgotten as soon as the session is open', async () => {
    const scene = new Scene();
    await scene.run({ password });
    expect(scene.calls).toEqual(['take password', ...OPENED, 'spawn', 'wait', 'end 0 silent']);
  });

  test.each(['take password', 'start', 'authenticate', 'account', 'groups', 'establish', 'open', 'spawn'])(
    'it is forgotten when %s fails',
    async (step) => {
      const scene = new Scene({ step });
      await expect(scene.run({ password })).rejects.toThrow();
      expect(scene.forgotten).toBeGreaterThan(0);
    },
  );
});

describe('an expired password', () => {
  test('is changed where there is a person, and the session goes on', async () => {
    const scene = new Scene({ step: 'account', code: 12 });
    await scene.run({
      conversation: { requirePasswordPrompt: true, allowSwap: false, person: 'new password' },
    });
    expect(scene.calls).toEqual([
      ...upTo('account'),
      'change password',
      ...OPENED.slice(OPENED.indexOf('account') + 1),
      'spawn',
      'wait',
      'end 0 silent',
    ]);
  });

  test('ends the attempt where there is none', async () => {
    const scene = new Scene({ step: 'account', code: 12 });
    await expect(scene.run()).rejects.toMatchObject({ kind: 'account' });
    expect(scene.calls).toEqual([...upTo('account'), 'end 12']);
  });
});

test('a signal at a prompt counts more than what the module made of it', async () => {
  const scene = new Scene({ step: 'authenticate', code: 19 });
  scene.signal = 2;
  await expect(scene.run()).rejects.toMatchObject({ kind: 'interrupted', signal: 2 });
  expect(scene.calls).toEqual([...upTo('authenticate'), 'end 19']);
});
