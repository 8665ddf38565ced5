// The supervisor with a machine that says when what happens: races that real processes seldom show.
import { constants } from 'node:os';
import type { CommandEnd } from '../../../src/errors';
import { type SuperviseOptions, type Supervision, supervise } from '../../../src/session/supervise';
import type { ChildChange } from '../../../src/system/child';
import type { Process } from '../../../src/system/processes';
import type { SignalName } from '../../../src/system/signals';

const OWN = 1;
const COMMAND = 42;

class Machine {
  readonly sent: string[] = [];
  processes: Process[] = [];
  stops = 0;
  /** What waitpid reports, call by call. */
  changes: ChildChange[][] = [];
  timers: (() => void)[] = [];
  #handler: (name: SignalName) => void = () => undefined;

  start(options: Partial<SuperviseOptions> = {}): Promise<CommandEnd> {
    return supervise(
      { pid: COMMAND, newSession: true, endGroup: false, stopTimeout: 10, strangers: new Set(), ...options },
      this.#supervision(),
    );
  }

  /** A signal reaches the supervisor; waitpid then reports these changes. */
  signal(name: SignalName, ...changes: ChildChange[][]): void {
    this.changes.push(...changes);
    this.#handler(name);
  }

  #supervision(): Supervision {
    return {
      catchSignals: (_names, handler) => {
        this.#handler = handler;
        return () => undefined;
      },
      signalNumber: (name) => constants.signals[name],
      sendSignal: (pid, number) => {
        const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
        this.sent.push(`${name} ${pid}`);
      },
      takeChildChanges: () => this.changes.shift() ?? [],
      hasChildren: () => this.processes.length > 0,
      listProcesses: () => this.processes,
      ownPid: OWN,
      stopSelf: () => {
        this.stops++;
      },
      ownProcessGroup: () => OWN,
      after: (_milliseconds, callback) => {
        this.timers.push(callback);
        return () => {
          this.timers = this.timers.filter((timer) => timer !== callback);
        };
      },
    };
  }
}

const ended = (code: number): ChildChange => ({ pid: COMMAND, ended: { code } });

test('a command that has ended before we listened is noticed', async () => {
  const machine = new Machine();
  machine.changes = [[ended(3)]];
  await expect(machine.start()).resolves.toEqual({ code: 3 });
});

test.each(['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)('%s is passed on to the command', (name) => {
  const machine = new Machine();
  void machine.start();
  machine.signal(name);
  expect(machine.sent).toEqual([`${name} ${COMMAND}`]);
});

test.each(['SIGINT', 'SIGQUIT', 'SIGWINCH'] as const)(
  '%s goes to a group of its own, and to none of ours',
  (name) => {
    const [own, shared] = [new Machine(), new Machine()];
    void own.start();
    void shared.start({ newSession: false });
    own.signal(name);
    shared.signal(name);
    expect(own.sent).toEqual([`${name} -${COMMAND}`]);
    expect(shared.sent).toEqual([]);
  },
);

describe('on a terminal', () => {
  test('a stopped command stops us', () => {
    const machine = new Machine();
    void machine.start({ newSession: false });
    machine.signal('SIGCHLD', [{ pid: COMMAND, stopped: 20 }]);
    expect(machine.stops).toBe(1);
  });

  test('a SIGCONT for us alone continues the command', () => {
    const machine = new Machine();
    void machine.start({ newSession: false });
    machine.signal('SIGCHLD', [{ pid: COMMAND, stopped: 20 }]);
    machine.signal('SIGCONT');
    expect(machine.sent).toEqual([`SIGCONT ${COMMAND}`]);
  });

  test('after fg no second SIGCONT is sent, which would undo the next Ctrl-Z', () => {
    const machine = new Machine();
    void machine.start({ newSession: false });
    machine.signal('SIGCHLD', [{ pid: COMMAND, stopped: 20 }], [{ pid: COMMAND, continued: true }]);
    machine.signal('SIGCONT');
    expect(machine.sent).toEqual([]);
  });
});

describe('at the end of the command', () => {
  const member = (pid: number, more: Partial<Process> = {}): Process => ({
    pid,
    parent: OWN,
    processGroup: COMMAND,
    ...more,
  });

  test('its group is left alone unless it is to be ended', async () => {
    const machine = new Machine();
    machine.processes = [member(50)];
    machine.changes = [[ended(0)]];
    await expect(machine.start()).resolves.toEqual({ code: 0 });
    expect(machine.sent).toEqual([]);
  });

  test('the group gets TERM, then KILL, and we wait until nobody is left', async () => {
    const machine = new Machine();
    machine.processes = [member(50), member(51, { processGroup: 51 })];
    machine.changes = [[ended(0)]];
    const end = machine.start({ endGroup: true });
    expect(machine.sent).toEqual(['SIGTERM 50', 'SIGCONT 50']);
    machine.timers.at(0)?.();
    expect(machine.sent.slice(2)).toEqual(['SIGKILL 50']);
    machine.processes = [];
    machine.signal('SIGCHLD');
    await expect(end).resolves.toEqual({ code: 0 });
  });

  test('in our own group only our children are ended, and strangers never', async () => {
    const machine = new Machine();
    machine.processes = [
      member(50, { processGroup: OWN }),
      member(51, { processGroup: OWN }),
      member(52, { processGroup: OWN, parent: 7 }),
    ];
    machine.changes = [[ended(0)]];
    void machine.start({ newSession: false, endGroup: true, strangers: new Set([51]) });
    expect(machine.sent).toEqual(['SIGTERM 50', 'SIGCONT 50']);
  });
});

test('a command that outlives TERM is killed with its group', () => {
  const machine = new Machine();
  void machine.start();
  machine.signal('SIGTERM');
  machine.timers.at(0)?.();
  expect(machine.sent).toEqual([`SIGTERM ${COMMAND}`, `SIGKILL -${COMMAND}`]);
});
