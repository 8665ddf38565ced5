/* A PAM module for tests: sets the variables of a file, each "NAME=value" ended by a NUL byte, exactly as they are.
 *
 *   session required /path/probe_putenv.so /path/of/the/file
 */
#define PAM_SM_SESSION
#include <security/pam_modules.h>
#include <stdio.h>
#include <stdlib.h>

int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    FILE *file = argc > 0 ? fopen(argv[0], "r") : NULL;
    char *entry = NULL;
    size_t size = 0;
    int result = file ? PAM_SUCCESS : PAM_SYSTEM_ERR;
    (void)flags;
    while (file && result == PAM_SUCCESS && getdelim(&entry, &size, 0, file) > 0)
        result = pam_putenv(pamh, entry);
    free(entry);
    if (file)
        fclose(file);
    return result;
}

int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh, (void)flags, (void)argc, (void)argv;
    return PAM_SUCCESS;
}
