// Stands beside the command: passes signals on, stops and continues with it, and ends its process group.
import type { CommandEnd } from '../errors';
import type { ChildChange } from '../system/child';
import type { Process } from '../system/processes';
import type { SignalName } from '../system/signals';

/** The process-level operations that supervising needs. */
export interface Supervision {
  /** Calls back on each of the signals, until the result is called. */
  catchSignals(names: readonly SignalName[], handler: (name: SignalName) => void): () => void;
  signalNumber(name: SignalName): number;
  sendSignal(pid: number, signal: number): void;
  takeChildChanges(): ChildChange[];
  /** Whether we have any child, dead or alive. */
  hasChildren(): boolean;
  listProcesses(): Process[];
  readonly ownPid: number;
  /** Stops this process until somebody continues it. */
  stopSelf(): void;
  ownProcessGroup(): number;
  /** Calls back once after this many milliseconds, unless the result is called before. */
  after(milliseconds: number, callback: () => void): () => void;
}

export interface SuperviseOptions {
  readonly pid: number;
  /** The command leads a session and a process group of its own; else it shares ours and the terminal. */
  readonly newSession: boolean;
  /** Whether the rest of the process group is ended when the command has ended. */
  readonly endGroup: boolean;
  /** Seconds from TERM to KILL. */
  readonly stopTimeout: number;
  /** Children we had before the command was started: none of our business. */
  readonly strangers: ReadonlySet<number>;
}

/** Milliseconds between two looks at processes that are not our children. */
const LOOK_AGAIN = 50;

/** What is passed on in any case. The terminal's signals reach a command on our terminal without us. */
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;
const OF_TERMINAL = ['SIGINT', 'SIGQUIT', 'SIGWINCH'] as const;

/** Every signal that the supervisor takes, SIGCHLD apart. */
export const SUPERVISED_SIGNALS: readonly SignalName[] = [...FORWARDED, ...OF_TERMINAL, 'SIGTSTP'];

/** Resolves when the command has ended and, where asked or after a TERM, nothing of its group is left. */
export function supervise(options: SuperviseOptions, system: Supervision): Promise<CommandEnd> {
  const { pid, newSession, strangers } = options;
  const group = newSession ? pid : system.ownProcessGroup();
  const number = (name: SignalName): number => system.signalNumber(name);

  return new Promise((resolve) => {
    let end: CommandEnd | undefined;
    let stopping = options.endGroup;
    let cancelKill: (() => void) | undefined;
    let cancelLook: (() => void) | undefined;
    let killing = false;
    let stopped = false;
    const told = new Set<number>();

    // In our own group there are others, who are none of ours: there only children count.
    const members = (): Process[] => {
      if (!newSession && !system.hasChildren()) return [];
      return system.listProcesses().filter(({ pid, parent, processGroup }) => {
        const ours = newSession || (parent === system.ownPid && !strangers.has(pid));
        return processGroup === group && ours;
      });
    };

    const startClock = (): void => {
      cancelKill ??= system.after(options.stopTimeout * 1000, () => {
        killing = true;
        if (end === undefined) system.sendSignal(newSession ? -group : pid, number('SIGKILL'));
        else endMembers(end);
      });
    };

    const finish = (result: CommandEnd): void => {
      cancelKill?.();
      cancelLook?.();
      uncatch();
      resolve(result);
    };

    // Deeper descendants become our children when their parents end: each round reaches the next layer.
    const endMembers = (ended: CommandEnd): void => {
      const left = members();
      if (left.length === 0) {
        finish(ended);
        return;
      }
      startClock();
      // Of a child's end we are told; the end of anybody else's has to be looked for.
      if (left.some(({ parent }) => parent !== system.ownPid)) {
        cancelLook?.();
        cancelLook = system.after(LOOK_AGAIN, () => endMembers(ended));
      }
      for (const child of left) {
        if (killing) system.sendSignal(child.pid, number('SIGKILL'));
        else if (!told.has(child.pid)) {
          told.add(child.pid);
          system.sendSignal(child.pid, number('SIGTERM'));
          system.sendSignal(child.pid, number('SIGCONT'));
        }
      }
    };

    const apply = (change: ChildChange): void => {
      if (change.pid !== pid) return;
      if ('ended' in change) end = change.ended;
      else if ('continued' in change) stopped = false;
      else {
        stopped = true;
        // The SIGCONT that lets us go on is passed on where it was for us alone.
        system.stopSelf();
      }
    };

    const onChildren = (): void => {
      // Again and again: while we were stopped, things have gone on.
      for (let changes = system.takeChildChanges(); changes.length > 0; changes = system.takeChildChanges()) {
        changes.forEach(apply);
      }
      if (end === undefined) return;
      if (stopping) endMembers(end);
      else finish(end);
    };

    const onSignal = (name: SignalName): void => {
      if (name === 'SIGCHLD' || name === 'SIGCONT') onChildren();
      // Once the command has ended there is nobody to pass a signal to.
      if (name === 'SIGCHLD' || end !== undefined) return;
      if (name === 'SIGTSTP') {
        // The command's process group is orphaned: the kernel would discard a SIGTSTP (setpgid(2)).
        if (newSession) system.sendSignal(-group, number('SIGSTOP'));
        return;
      }
      // The shell's fg continues the whole job. A second SIGCONT, coming late, would undo the next Ctrl-Z.
      if (name === 'SIGCONT' && !newSession && !stopped) return;
      const ofTerminal = (OF_TERMINAL as readonly SignalName[]).includes(name);
      if (ofTerminal && !newSession) return;
      // A terminal signals the whole foreground group; Ctrl-Z stopped it (see above), so all of it goes on.
      const toGroup = newSession && (ofTerminal || name === 'SIGCONT');
      system.sendSignal(toGroup ? -group : pid, number(name));
      if (name === 'SIGTERM') {
        stopping = true;
        startClock();
      }
    };

    const uncatch = system.catchSignals([...SUPERVISED_SIGNALS, 'SIGCHLD'], onSignal);
    // The command may have ended before we listened.
    onChildren();
  });
}
