/* Runs inside a session in place of R and reports, as JSON, every property that a process inherits. Bytes beyond ASCII
 * come out as \u0080 to \u00ff, one for each byte.
 *
 *   probe             the report
 *   probe -c forks    how many processes it can start until the kernel refuses; they end with it
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int first = 1;

static void string(const char *text, size_t length)
{
    putchar('"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = text[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void name(const char *text)
{
    printf(first ? "{" : ",\n");
    first = 0;
    string(text, strlen(text));
    putchar(':');
}

static void text(const char *key, const char *value)
{
    name(key);
    string(value, strlen(value));
}

static void number(const char *key, long value)
{
    char buffer[32];
    snprintf(buffer, sizeof buffer, "%ld", value);
    text(key, buffer);
}

static void list(const char *key, char **values)
{
    name(key);
    putchar('[');
    for (int i = 0; values[i]; i++) {
        if (i)
            putchar(',');
        string(values[i], strlen(values[i]));
    }
    putchar(']');
}

static void file(const char *key, const char *path)
{
    char buffer[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, buffer, sizeof buffer - 1);
    if (fd >= 0)
        close(fd);
    if (length < 0)
        length = 0;
    while (length > 0 && buffer[length - 1] == '\n')
        length--;
    name(key);
    string(buffer, length);
}

/* The lines of /proc/self/status that say what a process is, not what it happens to have used. */
static void status(void)
{
    static const char *const keys[] = { "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb",
        "NoNewPrivs", "Seccomp", "SigBlk", "SigIgn", "SigCgt", "Cpus_allowed", "Mems_allowed_list", "THP_enabled",
        "Speculation_Store_Bypass" };
    static char line[65536];
    FILE *input = fopen("/proc/self/status", "re");
    while (input && fgets(line, sizeof line, input)) {
        char *colon = strchr(line, ':');
        if (!colon)
            continue;
        *colon = 0;
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
            if (strcmp(line, keys[i]))
                continue;
            char *value = colon + 1 + strspn(colon + 1, " \t");
            size_t length = strlen(value);
            while (length && strchr(" \n", value[length - 1]))
                length--;
            value[length] = 0;
            for (char *c = value; *c; c++)
                if (*c == '\t')
                    *c = ' ';
            text(line, value);
        }
    }
    if (input)
        fclose(input);
}

static void limits(void)
{
    static const char *const names[] = { "cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile", "memlock",
        "as", "locks", "sigpending", "msgqueue", "nice", "rtprio", "rttime" };
    for (int i = 0; i < 16; i++) {
        struct rlimit limit;
        char key[32], value[64], part[2][24];
        getrlimit(i, &limit);
        for (int j = 0; j < 2; j++) {
            rlim_t bound = j ? limit.rlim_max : limit.rlim_cur;
            if (bound == RLIM_INFINITY)
                strcpy(part[j], "unlimited");
            else
                snprintf(part[j], sizeof part[j], "%lu", (unsigned long)bound);
        }
        snprintf(key, sizeof key, "limit %s", names[i]);
        snprintf(value, sizeof value, "%s %s", part[0], part[1]);
        text(key, value);
    }
}

static void descriptors(void)
{
    char numbers[256][12], *values[257];
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    for (struct dirent *entry; directory && (entry = readdir(directory)) && count < 256;) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || fd == dirfd(directory))
            continue;
        values[count] = strncpy(numbers[count], entry->d_name, 11);
        numbers[count++][11] = 0;
    }
    values[count] = NULL;
    if (directory)
        closedir(directory);
    list("fds", values);
    for (int fd = 0; fd < 3; fd++) {
        char key[32];
        snprintf(key, sizeof key, "flags of fd %d", fd);
        number(key, fcntl(fd, F_GETFL));
    }
}

static void keyring(void)
{
    char description[256] = "none";
    long id = syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3 /* session */, 0);
    if (id > 0)
        syscall(SYS_keyctl, 6 /* KEYCTL_DESCRIBE */, id, description, sizeof description);
    number("keyring id", id);
    text("session keyring", description);
}

static void report(int argc, char **argv)
{
    char buffer[4096];
    struct sched_param parameter = { 0 };
    int value = 0;
    mode_t mask = umask(0);
    umask(mask);
    descriptors();
    status();
    limits();
    keyring();
    snprintf(buffer, sizeof buffer, "%04o", mask);
    text("umask", buffer);
    errno = 0;
    number("nice", getpriority(PRIO_PROCESS, 0));
    sched_getparam(0, &parameter);
    snprintf(buffer, sizeof buffer, "%d %d", sched_getscheduler(0), parameter.sched_priority);
    text("scheduling policy", buffer);
    number("I/O priority", syscall(SYS_ioprio_get, 1, 0));
    file("oom_score_adj", "/proc/self/oom_score_adj");
    file("loginuid", "/proc/self/loginuid");
    file("sessionid", "/proc/self/sessionid");
    file("cgroup", "/proc/self/cgroup");
    file("core dump filter", "/proc/self/coredump_filter");
    file("security label", "/proc/self/attr/current");
    text("cwd", getcwd(buffer, sizeof buffer) ? buffer : strerror(errno));
    number("timer slack", prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
    number("securebits", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
    number("dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    prctl(PR_GET_PDEATHSIG, &value, 0, 0, 0);
    number("parent death signal", value);
    prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0);
    number("child subreaper", value);
    number("keep capabilities", prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0));
    number("personality", personality(0xffffffff));
    int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
    text("controlling terminal", terminal < 0 ? "no" : "yes");
    if (terminal >= 0)
        text("in the foreground", tcgetpgrp(terminal) == getpgrp() ? "yes" : "no");
    text("terminal of stdin", isatty(0) ? "yes" : "no");
    text("session leader", getsid(0) == getpid() ? "yes" : "no");
    text("group leader", getpgrp() == getpid() ? "yes" : "no");
    static const char *const namespaces[] = { "mnt", "pid", "uts", "ipc", "net", "user", "cgroup", "time" };
    for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++) {
        char key[64], path[64];
        snprintf(path, sizeof path, "/proc/self/ns/%s", namespaces[i]);
        ssize_t length = readlink(path, buffer, sizeof buffer - 1);
        buffer[length < 0 ? 0 : length] = 0;
        snprintf(key, sizeof key, "namespace %s", namespaces[i]);
        text(key, buffer);
    }
    list("argv", argv);
    list("env", environ);
    printf("}\n");
    (void)argc;
}

/* Whether our parent still has our user id: the supervisor has it for an instant, and counts as a process of ours then. */
static int parent_is_us(void)
{
    char path[32], line[256];
    int uid = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)getppid());
    FILE *input = fopen(path, "re");
    while (input && uid < 0 && fgets(line, sizeof line, input))
        sscanf(line, "Uid: %d", &uid);
    if (input)
        fclose(input);
    return uid == (int)getuid();
}

static void forks(void)
{
    int count = 0;
    pid_t children[1000];
    for (int i = 0; i < 1000 && parent_is_us(); i++)
        usleep(1000);
    while (count < 1000) {
        pid_t child = fork();
        if (child < 0)
            break;
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
            pause();
            _exit(0);
        }
        children[count++] = child;
    }
    printf("%d\n", count);
    for (int i = 0; i < count; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "-c") == 0 && strcmp(argv[2], "forks") == 0)
        forks();
    else
        report(argc, argv);
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
