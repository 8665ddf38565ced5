/* A PAM module for tests: writes down each call it gets, and returns what it is told to.
 *
 *   session required /path/pam_record.so log=/tmp/calls [auth=7] [acct=..] [cred=..] [delete=..] [open=..] [close=..]
 *
 * One line a call: name, flags in hexadecimal where they matter, and the real and effective user id. The end of
 * the transaction is seen through the clean-up function of module data, with the status that pam_end(3) was given.
 */
#define PAM_SM_AUTH
#define PAM_SM_ACCOUNT
#define PAM_SM_SESSION
#include <security/pam_modules.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *argument(int argc, const char **argv, const char *name)
{
    size_t length = strlen(name);
    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=')
            return argv[i] + length + 1;
    return NULL;
}

static void record(const char *log, const char *text)
{
    FILE *file = log ? fopen(log, "a") : NULL;
    if (file) {
        fprintf(file, "%s uid=%d euid=%d\n", text, (int)getuid(), (int)geteuid());
        fclose(file);
    }
}

static void at_end(pam_handle_t *pamh, void *data, int status)
{
    char text[64];
    (void)pamh;
    snprintf(text, sizeof text, "end status=%d%s", status & 0xff, status & PAM_DATA_SILENT ? " silent" : "");
    record(data, text);
    free(data);
}

static int call(pam_handle_t *pamh, const char *name, int argc, const char **argv)
{
    const char *log = argument(argc, argv, "log");
    const char *code = argument(argc, argv, name);
    const void *data;
    if (log && pam_get_data(pamh, "pam_record", &data) != PAM_SUCCESS)
        pam_set_data(pamh, "pam_record", strdup(log), at_end);
    record(log, name);
    return code ? atoi(code) : PAM_SUCCESS;
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)flags;
    return call(pamh, "auth", argc, argv);
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    return call(pamh, flags & PAM_DELETE_CRED ? "delete" : "cred", argc, argv);
}

int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)flags;
    return call(pamh, "acct", argc, argv);
}

int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)flags;
    return call(pamh, "open", argc, argv);
}

int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)flags;
    return call(pamh, "close", argc, argv);
}
