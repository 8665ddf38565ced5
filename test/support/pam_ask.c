/* A PAM module for tests: asks a question, and writes down what it was answered.
 *
 *   auth required /path/pam_ask.so log=/tmp/answers in=auth [text=Password: ] [echo] [times=3] [stubborn]
 *        [expect=secret] [optional] [info=..] [error=..] [code=7]
 *
 * in        where it asks: auth, cred, acct, chauthtok, open or close; elsewhere it answers PAM_IGNORE. Repeat it.
 * expect    the answer it wants; it asks up to `times` times for it, then returns PAM_AUTH_ERR
 * stubborn  asks on where it gets no answer; else it returns PAM_CONV_ERR at once
 * optional  returns PAM_SUCCESS in any case
 * info, error  what it says before it asks
 * code      returned at the end in place of PAM_SUCCESS; without `text` it asks nothing
 *
 * The log gets one line for each question: the call, and the answer in hexadecimal or `none` and the PAM code.
 */
#define PAM_SM_AUTH
#define PAM_SM_ACCOUNT
#define PAM_SM_SESSION
#define PAM_SM_PASSWORD
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *argument(int argc, const char **argv, const char *name)
{
    size_t length = strlen(name);
    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=')
            return argv[i] + length + 1;
    return NULL;
}

static int has(int argc, const char **argv, const char *word)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], word) == 0)
            return 1;
    return 0;
}

static void record(const char *log, const char *call, const char *answer, int code)
{
    FILE *file = log ? fopen(log, "a") : NULL;
    if (!file)
        return;
    fprintf(file, "%s ", call);
    if (!answer)
        fprintf(file, "none %d", code);
    for (; answer && *answer; answer++)
        fprintf(file, "%02x", (unsigned char)*answer);
    fprintf(file, "\n");
    fclose(file);
}

static int ask(pam_handle_t *pamh, const char *call, int argc, const char **argv)
{
    char in[32];
    snprintf(in, sizeof in, "in=%s", call);
    if (!has(argc, argv, in))
        return PAM_IGNORE;
    const char *info = argument(argc, argv, "info"), *error = argument(argc, argv, "error");
    if (info)
        pam_info(pamh, "%s", info);
    if (error)
        pam_error(pamh, "%s", error);

    const char *text = argument(argc, argv, "text"), *log = argument(argc, argv, "log");
    const char *expect = argument(argc, argv, "expect"), *times = argument(argc, argv, "times");
    const char *code = argument(argc, argv, "code");
    int style = has(argc, argv, "echo") ? PAM_PROMPT_ECHO_ON : PAM_PROMPT_ECHO_OFF;
    int result = code ? atoi(code) : PAM_SUCCESS;
    for (int left = times ? atoi(times) : 1; text && left > 0; left--) {
        char *answer = NULL;
        int asked = pam_prompt(pamh, style, &answer, "%s", text);
        int right = asked == PAM_SUCCESS && answer && (!expect || strcmp(answer, expect) == 0);
        record(log, call, asked == PAM_SUCCESS ? answer : NULL, asked);
        free(answer);
        if (right)
            break;
        if (asked != PAM_SUCCESS && !has(argc, argv, "stubborn")) {
            result = PAM_CONV_ERR;
            break;
        }
        if (left == 1)
            result = asked == PAM_SUCCESS ? PAM_AUTH_ERR : PAM_CONV_ERR;
    }
    return has(argc, argv, "optional") ? PAM_SUCCESS : result;
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)flags;
    return ask(pamh, "auth", argc, argv);
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    int code = flags & PAM_DELETE_CRED ? PAM_IGNORE : ask(pamh, "cred", argc, argv);
    return code == PAM_IGNORE ? PAM_SUCCESS : code; /* a stack in which every module ignores fails */
}

int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)flags;
    return ask(pamh, "acct", argc, argv);
}

int pam_sm_chauthtok(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    return flags & PAM_PRELIM_CHECK ? PAM_IGNORE : ask(pamh, "chauthtok", argc, argv);
}

int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)flags;
    return ask(pamh, "open", argc, argv);
}

int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)flags;
    return ask(pamh, "close", argc, argv);
}
