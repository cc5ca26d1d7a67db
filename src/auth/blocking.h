/* SPDX-License-Identifier: PostgreSQL */
/* blocking.h - whether a clear-text password is right, by PAM or LDAP: libraries that block, so
 * they are asked in helper threads and never by a loop.
 *
 * Questions are answered in the order they came, by at most BLOCKING_THREADS threads, which are
 * started when needed and stay. A directory that does not answer holds a thread for as long as its
 * time-outs say; who waits behind it is bounded by BLOCKING_QUEUE, and one more is refused. Nobody
 * waits for a place.
 *
 * PAM modules may do what they like (fork, wait for a device); a module that crashes takes the
 * process with it. That is the price of PAM, in every daemon that uses it. */
#ifndef AUTH_BLOCKING_H
#define AUTH_BLOCKING_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Enough for the logins of a burst at a directory that takes 10 ms; a stack each, mostly unused. */
#define BLOCKING_THREADS 16
#define BLOCKING_QUEUE 1000

/* PgBouncer's, whose file in /etc/pam.d is used unchanged. */
#define BLOCKING_PAM_SERVICE "pgbouncer"

enum blocking_method {
    BLOCKING_PAM,
    BLOCKING_LDAP,
};

enum blocking_verdict {
    BLOCKING_RIGHT,
    BLOCKING_WRONG,  /* the password, or the user is unknown or locked: the log is told which */
    BLOCKING_BROKEN, /* nobody could say: no such host, a module failed, wrong options */
};

struct blocking;

struct blocking_question {
    enum blocking_method method;
    const char *user, *password; /* an empty password is never right */
    const char *remote_host;     /* PAM_RHOST: the client's address; NULL: a local one */
    const char *options;         /* LDAP: as ldap_options_parse takes them */
};

/* Called in a helper thread, with what was said when asking; whatever it does may not block. *err
 * is for the log (no SQLSTATE) unless the verdict is BLOCKING_RIGHT. */
typedef void blocking_fn(void *arg, uint64_t tag, enum blocking_verdict verdict,
                         const struct error *err);

/* What this build can do: false if the library was not there. */
bool blocking_can(enum blocking_method method);

/* Before the threads that ask. */
struct blocking *blocking_new(void);
/* Nobody is called any more when it returns. False: a thread is in the middle of a question and was
 * left behind, as nobody can tell how long its library takes. The process must then end by _exit():
 * exit() would take the library's data away under it. */
bool blocking_free(struct blocking **b);

/* Any thread; copies the question. False with *err (for a client) if too many wait already. */
bool blocking_ask(struct blocking *b, const struct blocking_question *q, blocking_fn *fn, void *arg,
                  uint64_t tag, struct error *err);

#endif
