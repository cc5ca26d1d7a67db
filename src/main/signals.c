/* SPDX-License-Identifier: PostgreSQL */
/* signals.c - what signals mean. The texts are PgBouncer's where it has some. */
#include "main/signals.h"

#include "base/log.h"
#include "main/program.h"
#include "main/reload.h"
#include "worker/command.h"

#include <signal.h>

static uint64_t patience(const struct program *p)
{
    return setup_config(p->setup)->profile == CONFIG_URL ? SIGNALS_DRAIN_US : 0;
}

/* True if the second of two signals has ended the wait. */
static bool is_second(struct program *p, const char *name)
{
    if (!shutdown_has_begun(&p->shutdown))
        return false;
    log_info("got %s while shutting down, fast exit", name);
    shutdown_begin(&p->shutdown, SHUTDOWN_NOW, 0);
    return true;
}

/* What is suspended would be waited for in vain. */
static bool is_suspended(struct program *p)
{
    if (!command_is_suspended(p->shared.relays[0]))
        return false;
    log_fatal("suspend was in progress, going down immediately");
    p->failed = true;
    shutdown_begin(&p->shutdown, SHUTDOWN_NOW, 0);
    return true;
}

static void on_int(void *arg)
{
    struct program *p = arg;
    if (is_second(p, "SIGINT") || is_suspended(p))
        return;
    log_info("got SIGINT, shutting down, waiting for all servers connections to be released");
    shutdown_begin(&p->shutdown, SHUTDOWN_WAIT_FOR_SERVERS, patience(p));
}

static void on_term(void *arg)
{
    struct program *p = arg;
    if (is_second(p, "SIGTERM") || is_suspended(p))
        return;
    log_info("got SIGTERM, shutting down, waiting for all clients disconnect");
    shutdown_begin(&p->shutdown, SHUTDOWN_WAIT_FOR_CLIENTS, patience(p));
}

static void on_quit(void *arg)
{
    struct program *p = arg;
    log_info("got SIGQUIT, fast exit");
    shutdown_begin(&p->shutdown, SHUTDOWN_NOW, 0);
}

static void on_hup(void *arg)
{
    struct program *p = arg;
    log_info("got SIGHUP, re-reading config");
    reload_begin(p->reload, NULL);
}

static void on_usr1(void *arg)
{
    struct program *p = arg;
    struct error err;
    log_info("got SIGUSR1, pausing all activity");
    if (!command_pause(p->shared.relays[0], NULL, NULL, &err))
        log_info("%s", err.text);
}

static void on_usr2(void *arg)
{
    struct program *p = arg;
    struct error err;
    if (shutdown_has_begun(&p->shutdown)) {
        log_info("got SIGUSR2 while shutting down, ignoring");
        return;
    }
    log_info("got SIGUSR2, continuing from PAUSE");
    if (!command_resume(p->shared.relays[0], NULL, &err)) {
        log_info("%s", err.text);
        return;
    }
    command_resume_everywhere(p->shared.relays[0]);
}

void signals_watch(struct program *p)
{
    loop_on_signal(p->loop, SIGINT, on_int, p);
    loop_on_signal(p->loop, SIGTERM, on_term, p);
    loop_on_signal(p->loop, SIGQUIT, on_quit, p);
    loop_on_signal(p->loop, SIGHUP, on_hup, p);
    loop_on_signal(p->loop, SIGUSR1, on_usr1, p);
    loop_on_signal(p->loop, SIGUSR2, on_usr2, p);
}
