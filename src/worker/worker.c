/* SPDX-License-Identifier: PostgreSQL */
/* worker.c - threads, each alone with its loop; what crosses between them is a message. */
#include "worker/worker.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/mailbox.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct worker {
    int index;
    pthread_t thread;
    struct loop *loop;
    struct relay *relay;
};

struct workers {
    struct relay_shared *shared;
    int n;
    bool has_threads;
    int next; /* round robin among equals; the accepting worker's */
    struct worker *each;
};

/* ---- messages -------------------------------------------------------------------------- */

struct accepted {
    struct message message;
    int fd;
    struct addr peer;
};

static void deliver_accepted(struct message *m, void *receiver)
{
    struct accepted *a = container_of(m, struct accepted, message);
    if (receiver)
        relay_accept(receiver, a->fd, &a->peer);
    else
        close(a->fd);
    free(a);
}

struct stop {
    struct message message;
};

static void deliver_stop(struct message *m, void *receiver)
{
    struct stop *s = container_of(m, struct stop, message);
    if (receiver)
        loop_stop(relay_loop(receiver));
    free(s);
}

/* ---- threads --------------------------------------------------------------------------- */

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    loop_run(w->loop);
    return NULL;
}

static void start_thread(struct worker *w)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
        log_fatal("could not start worker thread %d", w->index);
        exit(1);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

struct workers *workers_new(struct relay_shared *shared, int n, struct setup *setup,
                            const struct client_ops *console_ops)
{
    struct workers *w = xcalloc(1, sizeof *w);
    w->shared = shared;
    w->n = n;
    w->each = xcalloc((size_t)n, sizeof *w->each);
    shared->n_workers = n;
    shared->relays = xcalloc((size_t)n, sizeof(struct relay *));
    /* All relays exist before the first thread runs: they post to one another. */
    for (int i = 0; i < n; i++) {
        w->each[i].index = i;
        w->each[i].loop = loop_new();
        w->each[i].relay = relay_new(shared, i, w->each[i].loop, setup, console_ops);
        shared->relays[i] = w->each[i].relay;
    }
    return w;
}

struct loop *workers_accept_loop(struct workers *w)
{
    return w->each[0].loop;
}

void workers_start(struct workers *w)
{
    w->has_threads = true;
    for (int i = 0; i < w->n; i++)
        start_thread(&w->each[i]);
}

void workers_deal(struct workers *w, int fd, const struct addr *peer)
{
    int best = w->next;
    for (int i = 1; i < w->n; i++) {
        int at = (w->next + i) % w->n;
        if (relay_client_count(w->each[at].relay) < relay_client_count(w->each[best].relay))
            best = at;
    }
    w->next = (best + 1) % w->n;
    relay_expect_client(w->each[best].relay);
    if (best == 0) {
        relay_accept(w->each[best].relay, fd, peer);
        return;
    }
    struct accepted *a = xmalloc(sizeof *a);
    a->message.deliver = deliver_accepted;
    a->fd = fd;
    a->peer = *peer;
    mailbox_post(relay_mailbox(w->each[best].relay), &a->message);
}

void workers_stop(struct workers *w)
{
    if (!w || !w->has_threads)
        return;
    w->has_threads = false;
    for (int i = 0; i < w->n; i++) {
        struct stop *s = xcalloc(1, sizeof *s);
        s->message.deliver = deliver_stop;
        mailbox_post(relay_mailbox(w->each[i].relay), &s->message);
    }
    for (int i = 0; i < w->n; i++)
        pthread_join(w->each[i].thread, NULL);
}

void workers_free(struct workers **wp)
{
    struct workers *w = *wp;
    if (!w)
        return;
    /* No thread is left; closing may still post from one relay to another. */
    for (int i = 0; i < w->n; i++)
        relay_shutdown(w->each[i].relay);
    for (int i = 0; i < w->n; i++) {
        relay_free(&w->each[i].relay);
        loop_free(&w->each[i].loop);
    }
    free(w->shared->relays);
    w->shared->relays = NULL;
    free(w->each);
    free(w);
    *wp = NULL;
}
