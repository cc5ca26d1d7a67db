/* SPDX-License-Identifier: PostgreSQL */
/* blocking_pam.c - a password, by the modules that the operator has put in front of the service:
 * first who it is (authenticate), then whether he may come now (account). */
#include "auth/blocking_impl.h"

#ifdef HAVE_PAM

#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

struct talk {
    const char *password;
    bool asked_for_more; /* what a password cannot answer */
};

static void drop_replies(struct pam_response *replies, int n)
{
    for (int i = 0; i < n; i++) {
        if (replies[i].resp)
            explicit_bzero(replies[i].resp, strlen(replies[i].resp));
        free(replies[i].resp);
    }
    free(replies);
}

/* A module asks: without echo it wants the password; it may talk as long as it likes; with echo it
 * wants what we do not have. The module frees the replies. */
static int converse(int n, const struct pam_message **messages, struct pam_response **out,
                    void *arg)
{
    struct talk *talk = arg;
    if (n <= 0 || n > PAM_MAX_NUM_MSG)
        return PAM_CONV_ERR;
    struct pam_response *replies = calloc((size_t)n, sizeof *replies);
    if (!replies)
        return PAM_BUF_ERR;
    for (int i = 0; i < n; i++) {
        switch (messages[i]->msg_style) {
        case PAM_PROMPT_ECHO_OFF:
            replies[i].resp = strdup(talk->password);
            if (replies[i].resp)
                break;
            drop_replies(replies, i);
            return PAM_BUF_ERR;
        case PAM_TEXT_INFO:
        case PAM_ERROR_MSG:
            break;
        default:
            talk->asked_for_more = true;
            drop_replies(replies, i);
            return PAM_CONV_ERR;
        }
    }
    *out = replies;
    return PAM_SUCCESS;
}

static enum blocking_verdict verdict_of(int result)
{
    switch (result) {
    case PAM_SUCCESS:
        return BLOCKING_RIGHT;
    case PAM_AUTH_ERR:
    case PAM_USER_UNKNOWN:
    case PAM_MAXTRIES:
    case PAM_ACCT_EXPIRED:
    case PAM_CRED_EXPIRED:
    case PAM_NEW_AUTHTOK_REQD:
    case PAM_PERM_DENIED:
        return BLOCKING_WRONG;
    default:
        return BLOCKING_BROKEN;
    }
}

enum blocking_verdict blocking_pam(const struct blocking_question *q, struct error *err)
{
    struct talk talk = {.password = q->password};
    struct pam_conv conv = {.conv = converse, .appdata_ptr = &talk};
    pam_handle_t *pam = NULL;
    const char *step = "start";
    int result = pam_start(BLOCKING_PAM_SERVICE, q->user, &conv, &pam);
    if (result == PAM_SUCCESS && q->remote_host) {
        step = "set item";
        result = pam_set_item(pam, PAM_RHOST, q->remote_host);
    }
    if (result == PAM_SUCCESS) {
        step = "authenticate";
        result = pam_authenticate(pam, PAM_SILENT);
    }
    if (result == PAM_SUCCESS) {
        step = "account";
        result = pam_acct_mgmt(pam, PAM_SILENT);
    }
    if (result != PAM_SUCCESS)
        error_set(err, "", "PAM service \"%s\", %s: %s%s", BLOCKING_PAM_SERVICE, step,
                  pam_strerror(pam, result),
                  talk.asked_for_more ? " (a module asked for more than the password)" : "");
    if (pam)
        pam_end(pam, result);
    return verdict_of(result);
}

#else

enum blocking_verdict blocking_pam(const struct blocking_question *q, struct error *err)
{
    (void)q;
    error_set(err, "", "pam is not supported by this build");
    return BLOCKING_BROKEN;
}

#endif
