// The C library and system calls we use, with their prototypes; no decisions.
import { type Address, foreign, type Pointer } from './koffi';

const C = 'libc.so.6';

/** mallopt(3). */
export const mallopt = foreign<[number, number], number>(C, 'int mallopt(int param, int value)');
export const malloc = foreign<[number], Address>(C, 'void *malloc(size_t)');
export const free = foreign<[Address], void>(C, 'void free(void *)');
export const calloc = foreign<[number, number], Address>(C, 'void *calloc(size_t, size_t)');
export const strlen = foreign<[Address], number | bigint>(C, 'size_t strlen(const void *)');

export const mmap = foreign<[null, number, number, number, number, number], Address>(
  C,
  'void *mmap(void *addr, size_t length, int prot, int flags, int fd, long offset)',
);
export const munmap = foreign<[Address, number], number>(C, 'int munmap(void *addr, size_t length)');
export const mlock = foreign<[Address, number], number>(C, 'int mlock(const void *addr, size_t length)');
export const madvise = foreign<[Address, number, number], number>(
  C,
  'int madvise(void *addr, size_t length, int advice)',
);
export const explicit_bzero = foreign<[Address, number], void>(
  C,
  'void explicit_bzero(void *addr, size_t length)',
);
export const memchr = foreign<[Address, number, number], Address | null>(
  C,
  'void *memchr(const void *addr, int byte, size_t length)',
);
export const memcpy = foreign<[Address, Address, number], Address>(
  C,
  'void *memcpy(void *to, const void *from, size_t length)',
);
/** read(2) into memory of C: what is read never becomes a JavaScript value. */
export const readInto = foreign<[number, Address, number], number>(
  C,
  'long read(int fd, void *buffer, size_t length)',
);
export const poll = foreign<[Pointer, number, number], number>(
  C,
  'int poll(void *fds, unsigned long count, int timeout)',
);
export const tcflush = foreign<[number, number], number>(C, 'int tcflush(int fd, int queue)');

export const getpwnam_r = foreign<[Pointer, Pointer, Pointer, number, Pointer], number>(
  C,
  'int getpwnam_r(const void *name, void *pwd, void *buf, size_t len, void *result)',
);
export const getpwuid_r = foreign<[number, Pointer, Pointer, number, Pointer], number>(
  C,
  'int getpwuid_r(unsigned int uid, void *pwd, void *buf, size_t len, void *result)',
);
export const getgrgid_r = foreign<[number, Pointer, Pointer, number, Pointer], number>(
  C,
  'int getgrgid_r(unsigned int gid, void *grp, void *buf, size_t len, void *result)',
);
export const getgrouplist = foreign<[Pointer, number, Pointer, Pointer], number>(
  C,
  'int getgrouplist(const void *user, unsigned int group, void *groups, void *ngroups)',
);
export const initgroups = foreign<[Pointer, number], number>(
  C,
  'int initgroups(const void *user, unsigned int group)',
);

export const prlimit = foreign<[number, number, Pointer, Pointer], number>(
  C,
  'int prlimit(int pid, unsigned int resource, const void *new_limit, void *old_limit)',
);
export const prctl = foreign<[number, number, number, number, number], number>(
  C,
  'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
);
export const capget = foreign<[Pointer, Pointer], number>(C, 'int capget(void *header, void *data)');
export const capset = foreign<[Pointer, Pointer], number>(C, 'int capset(void *header, const void *data)');
export const getresgid = foreign<[Pointer, Pointer, Pointer], number>(
  C,
  'int getresgid(void *rgid, void *egid, void *sgid)',
);

/** signal(2): `handler` is SIG_DFL (0n) or SIG_IGN (1n). */
export const signal = foreign<[number, Address], Address>(C, 'void *signal(int signum, void *handler)');
/** sigaction(2); a `struct sigaction` fits into 256 bytes. */
export const sigaction = foreign<[number, Pointer, Pointer], number>(
  C,
  'int sigaction(int signum, const void *act, void *oldact)',
);
export const sigprocmask = foreign<[number, Pointer, Pointer], number>(
  C,
  'int sigprocmask(int how, const void *set, void *oldset)',
);
export const kill = foreign<[number, number], number>(C, 'int kill(int pid, int sig)');
export const waitpid = foreign<[number, Pointer, number], number>(
  C,
  'int waitpid(int pid, void *status, int options)',
);
export const strsignal = foreign<[number], Address>(C, 'void *strsignal(int sig)');
export const strerror = foreign<[number], Address>(C, 'void *strerror(int errnum)');
export const getpgrp = foreign<[], number>(C, 'int getpgrp(void)');

export const fcntl = foreign<[number, number, number], number>(C, 'int fcntl(int fd, int cmd, long arg)');
export const tcgetattr = foreign<[number, Pointer], number>(C, 'int tcgetattr(int fd, void *termios)');
export const tcsetattr = foreign<[number, number, Pointer], number>(
  C,
  'int tcsetattr(int fd, int actions, const void *termios)',
);
export const tcgetpgrp = foreign<[number], number>(C, 'int tcgetpgrp(int fd)');
export const ttyname_r = foreign<[number, Pointer, number], number>(
  C,
  'int ttyname_r(int fd, void *buf, size_t len)',
);
export const chdir = foreign<[Pointer], number>(C, 'int chdir(const void *path)');
export const execve = foreign<[Pointer, Pointer, Pointer], number>(
  C,
  'int execve(const void *path, const void *argv, const void *envp)',
);
/** _exit(2): ends the process without running what Node registered for its exit. */
export const exitNow = foreign<[number], never>(C, 'void _exit(int status)');

export const posix_spawn = foreign<[Pointer, Pointer, Pointer, Pointer, Pointer, Pointer], number>(
  C,
  'int posix_spawn(void *pid, const void *path, const void *actions, const void *attr, const void *argv, const void *envp)',
);
export const posix_spawn_file_actions_init = foreign<[Pointer], number>(
  C,
  'int posix_spawn_file_actions_init(void *actions)',
);
export const posix_spawn_file_actions_adddup2 = foreign<[Pointer, number, number], number>(
  C,
  'int posix_spawn_file_actions_adddup2(void *actions, int fd, int newfd)',
);
export const posix_spawn_file_actions_destroy = foreign<[Pointer], number>(
  C,
  'int posix_spawn_file_actions_destroy(void *actions)',
);
export const posix_spawnattr_init = foreign<[Pointer], number>(C, 'int posix_spawnattr_init(void *attr)');
export const posix_spawnattr_setflags = foreign<[Pointer, number], number>(
  C,
  'int posix_spawnattr_setflags(void *attr, short flags)',
);
export const posix_spawnattr_setsigdefault = foreign<[Pointer, Pointer], number>(
  C,
  'int posix_spawnattr_setsigdefault(void *attr, const void *set)',
);
export const posix_spawnattr_setsigmask = foreign<[Pointer, Pointer], number>(
  C,
  'int posix_spawnattr_setsigmask(void *attr, const void *set)',
);

const syscall = foreign<[number, number, number, number], number | bigint>(
  C,
  'long syscall(long number, long a, long b, long c)',
);

// The generic table (arm64, riscv64, loong64) of asm-generic/unistd.h, and x86_64's own.
const NUMBERS =
  process.arch === 'x64'
    ? { setresuid: 117, setresgid: 119, close_range: 436 }
    : { setresuid: 147, setresgid: 149, close_range: 436 };

/**
 * setresuid(2) for the calling thread alone. glibc's wrapper changes every thread of the process: each
 * of Node's ten threads would then count against the user's RLIMIT_NPROC.
 */
export function setresuidThread(real: number, effective: number, saved: number): number {
  return Number(syscall(NUMBERS.setresuid, real, effective, saved));
}

/** setresgid(2) for the calling thread alone. */
export function setresgidThread(real: number, effective: number, saved: number): number {
  return Number(syscall(NUMBERS.setresgid, real, effective, saved));
}

/** close_range(2): acts on every descriptor from `first` up. */
export function closeRangeFrom(first: number, flags: number): number {
  return Number(syscall(NUMBERS.close_range, first, 0xffffffff, flags));
}
