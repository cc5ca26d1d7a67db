/* SPDX-License-Identifier: PostgreSQL */
/* blocking.c - the queue in front of the helper threads, and the threads.
 *
 * The state is counted: by its owner, and by each thread. Threads are joined at the end unless one
 * is inside a library: it finds out when it comes back, and the last one to leave frees. */
#include "auth/blocking_impl.h"

#include "base/list.h"
#include "base/mem.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct job {
    STAILQ_ENTRY(job) link;
    enum blocking_method method;
    char *user, *password, *remote_host, *options; /* the last two may be NULL */
    blocking_fn *fn;
    void *arg;
    uint64_t tag;
};

STAILQ_HEAD(job_list, job);

/* Helper threads sleep here, so it is not the mutex of base/, which has no conditions. */
struct blocking {
    pthread_mutex_t m;
    pthread_cond_t wanted;
    /* Under m. */
    struct job_list jobs;
    unsigned n_jobs;
    unsigned n_threads, n_idle;
    pthread_t threads[BLOCKING_THREADS];
    unsigned n_answering; /* threads inside a library */
    unsigned refs;        /* the owner and the threads */
    bool is_over;
    /* One thread at a time calls back, so that blocking_free can wait for the end of it. */
    pthread_mutex_t telling;
};

bool blocking_can(enum blocking_method method)
{
    switch (method) {
    case BLOCKING_PAM:
#ifdef HAVE_PAM
        return true;
#else
        return false;
#endif
    case BLOCKING_LDAP:
#ifdef HAVE_LDAP
        return true;
#else
        return false;
#endif
    }
    return false;
}

static void job_free(struct job **jp)
{
    struct job *j = *jp;
    *jp = NULL;
    free(j->user);
    secret_free(&j->password);
    free(j->remote_host);
    secret_free(&j->options); /* ldapbindpasswd */
    free(j);
}

/* m is held; releases it. */
static void leave(struct blocking *b)
{
    bool last = --b->refs == 0;
    pthread_mutex_unlock(&b->m);
    if (!last)
        return;
    pthread_cond_destroy(&b->wanted);
    pthread_mutex_destroy(&b->telling);
    pthread_mutex_destroy(&b->m);
    free(b);
}

static enum blocking_verdict answer(const struct job *j, struct error *err)
{
    struct blocking_question q = {j->method, j->user, j->password, j->remote_host, j->options};
    if (!q.password[0]) {
        /* A directory takes a bind without a password for one without a user, which succeeds
         * (RFC 4513, 5.1.2). */
        error_set(err, "", "empty password");
        return BLOCKING_WRONG;
    }
    switch (j->method) {
    case BLOCKING_PAM:
        return blocking_pam(&q, err);
    case BLOCKING_LDAP:
        return blocking_ldap(&q, err);
    }
    return BLOCKING_BROKEN;
}

static void tell(struct blocking *b, const struct job *j, enum blocking_verdict verdict,
                 const struct error *err)
{
    pthread_mutex_lock(&b->telling);
    pthread_mutex_lock(&b->m);
    bool is_over = b->is_over;
    b->n_answering--;
    pthread_mutex_unlock(&b->m);
    if (!is_over)
        j->fn(j->arg, j->tag, verdict, err);
    pthread_mutex_unlock(&b->telling);
}

static void *helper_main(void *arg)
{
    struct blocking *b = arg;
    pthread_mutex_lock(&b->m);
    for (;;) {
        while (!b->is_over && STAILQ_EMPTY(&b->jobs)) {
            b->n_idle++;
            pthread_cond_wait(&b->wanted, &b->m);
            b->n_idle--;
        }
        if (b->is_over)
            break;
        struct job *j = STAILQ_FIRST(&b->jobs);
        STAILQ_REMOVE_HEAD(&b->jobs, link);
        b->n_jobs--;
        b->n_answering++;
        pthread_mutex_unlock(&b->m);
        struct error err = {0};
        enum blocking_verdict verdict = answer(j, &err);
        tell(b, j, verdict, &err);
        job_free(&j);
        pthread_mutex_lock(&b->m);
    }
    leave(b);
    return NULL;
}

/* m is held. A thread takes no signals: they are the main thread's. */
static bool start_helper(struct blocking *b)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool ok = pthread_create(&b->threads[b->n_threads], NULL, helper_main, b) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (ok) {
        b->n_threads++;
        b->refs++;
    }
    return ok;
}

struct blocking *blocking_new(void)
{
    struct blocking *b = xcalloc(1, sizeof *b);
    blocking_ldap_init();
    pthread_mutex_init(&b->m, NULL);
    pthread_mutex_init(&b->telling, NULL);
    pthread_cond_init(&b->wanted, NULL);
    STAILQ_INIT(&b->jobs);
    b->refs = 1;
    return b;
}

bool blocking_free(struct blocking **bp)
{
    struct blocking *b = *bp;
    pthread_t threads[BLOCKING_THREADS];
    *bp = NULL;
    if (!b)
        return true;
    pthread_mutex_lock(&b->telling);
    pthread_mutex_lock(&b->m);
    b->is_over = true;
    while (!STAILQ_EMPTY(&b->jobs)) {
        struct job *j = STAILQ_FIRST(&b->jobs);
        STAILQ_REMOVE_HEAD(&b->jobs, link);
        job_free(&j);
    }
    unsigned n = b->n_threads;
    bool all_idle = b->n_answering == 0;
    memcpy(threads, b->threads, sizeof threads);
    pthread_cond_broadcast(&b->wanted);
    pthread_mutex_unlock(&b->telling);
    leave(b);
    for (unsigned i = 0; i < n; i++) {
        if (all_idle)
            pthread_join(threads[i], NULL);
        else
            pthread_detach(threads[i]);
    }
    return all_idle;
}

static struct job *job_new(const struct blocking_question *q, blocking_fn *fn, void *arg,
                           uint64_t tag)
{
    struct job *j = xcalloc(1, sizeof *j);
    j->method = q->method;
    j->user = xstrdup(q->user);
    j->password = xstrdup(q->password);
    j->remote_host = q->remote_host ? xstrdup(q->remote_host) : NULL;
    j->options = q->options ? xstrdup(q->options) : NULL;
    j->fn = fn;
    j->arg = arg;
    j->tag = tag;
    return j;
}

bool blocking_ask(struct blocking *b, const struct blocking_question *q, blocking_fn *fn, void *arg,
                  uint64_t tag, struct error *err)
{
    struct job *j = job_new(q, fn, arg, tag);
    bool taken = false;
    pthread_mutex_lock(&b->m);
    /* Idle threads that were woken for earlier jobs are still counted as idle. */
    if (b->n_idle <= b->n_jobs && b->n_threads < BLOCKING_THREADS)
        (void)start_helper(b);
    if (b->n_threads && b->n_jobs < BLOCKING_QUEUE) {
        STAILQ_INSERT_TAIL(&b->jobs, j, link);
        b->n_jobs++;
        taken = true;
        pthread_cond_signal(&b->wanted);
    }
    pthread_mutex_unlock(&b->m);
    if (taken)
        return true;
    job_free(&j);
    return error_set(err, SQLSTATE_TOO_MANY_CONNECTIONS,
                     "too many logins wait for the authentication service");
}
