/* Preloaded into su(1) and runuser(1): they use the PAM profile that SU_PROFILE names in place of their own, so that they can
 * be compared under any profile, without a change in /etc/pam.d/su that other tests would see. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

static char *profile;

__attribute__((constructor)) static void start(void)
{
    const char *value = getenv("SU_PROFILE");
    profile = value ? strdup(value) : NULL;
    unsetenv("SU_PROFILE");
    unsetenv("LD_PRELOAD");
}

int pam_start(const char *service, const char *user, const struct pam_conv *conversation, pam_handle_t **handle)
{
    int (*real)(const char *, const char *, const struct pam_conv *, pam_handle_t **) = dlsym(RTLD_NEXT, "pam_start");
    return real(profile ? profile : service, user, conversation, handle);
}
