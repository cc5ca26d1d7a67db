/* SPDX-License-Identifier: PostgreSQL */
/* main.c - from the command line to the loop and back.
 *
 * The main thread has a loop for signals, listening sockets and names; it deals connections to the
 * workers and touches none of theirs. */
#include "auth/auth.h"
#include "base/log.h"
#include "net/tls_memory.h"
#include "main/check.h"
#include "main/daemon.h"
#include "main/greeting.h"
#include "main/options.h"
#include "main/program.h"
#include "main/takeover.h"
#include "main/systemd.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

extern char **environ;

/* ---- questions that need no start ------------------------------------------------------ */

static int print_url(const struct config *cfg)
{
    char *url = greeting_url(cfg);
    printf("%s\n", url);
    free(url);
    return 0;
}

static int print_certificate(const struct setup *s)
{
    const char *pem = setup_client_certificate(s);
    if (!pem) {
        fputs(
            "pgballast: there is no certificate of our own making: client_tls_sslmode is disable, "
            "client_tls_auto is off, or client_tls_cert_file names another\n",
            stderr);
        return 1;
    }
    fputs(pem, stdout);
    return 0;
}

static int answer_only(const struct options *o, const struct setup *s)
{
    switch (o->action) {
    case OPTIONS_PRINT_URL:
        return print_url(setup_config(s));
    case OPTIONS_PRINT_CA:
        return print_certificate(s);
    case OPTIONS_SHOW_CONFIG:
        greeting_print_config(setup_config(s));
        return 0;
    case OPTIONS_CHECK:
    case OPTIONS_RUN:
    case OPTIONS_EXIT:
        break;
    }
    return 0;
}

/* ---- run ------------------------------------------------------------------------------- */

/* Containers start as root where nobody says otherwise, and a URL alone is a complete start. */
static const char *account(const struct options *o, const struct config *cfg)
{
    const char *named = o->user ? o->user : cfg->user;
    if (named[0] || cfg->profile != CONFIG_URL || geteuid() != 0)
        return named;
    log_info("started as root, going on as user \"nobody\" (another: -u NAME)");
    return "nobody";
}

/* Account, background, log, pid file: what comes before anything runs. *background is the
 * descriptor for daemon_started, or -1; *old whose place we take, or NULL. */
static bool settle(const struct options *o, const struct config *cfg, int *background,
                   struct takeover **old, struct error *err)
{
    if (!daemon_switch_user(account(o, cfg), err))
        return false;
    daemon_harden();
    if (o->daemon && !cfg->pidfile[0])
        return error_set(err, "", "daemon needs pidfile configured");
    if (o->daemon && (*background = daemon_detach(err)) < 0)
        return false;
    if (!logging_apply(cfg, o, err))
        return false;
    if (o->reboot && getenv("LISTEN_FDS"))
        return error_set(err, "",
                         "-R is not for sockets that the service manager has opened: a "
                         "restart of the service keeps them");
    if (o->reboot && !takeover_find(cfg, old, err))
        return false;
    /* That of a process whose place we take remains until ours is up. */
    return !cfg->pidfile[0] ||
           (*old ? daemon_may_write_pidfile(cfg->pidfile, takeover_predecessor(*old), err)
                 : daemon_write_pidfile(cfg->pidfile, err));
}

static int run(struct program *p)
{
    struct error err;
    int background = -1;
    struct setup *first = setup_ref(p->setup);
    p->started = setup_config(first);
    const char *pidfile = p->started->pidfile;
    bool ok = settle(p->options, p->started, &background, &p->takeover, &err);
    if (!ok)
        log_fatal("%s", err.text);
    ok = ok && program_start(p);
    if (ok && background >= 0)
        daemon_started(background, 0);
    if (ok) {
        systemd_notify("READY=1");
        loop_run(p->loop);
    }
    program_stop(p);
    if (pidfile[0])
        daemon_remove_pidfile(pidfile);
    /* Who is told of a failure may try again at once: nothing of this attempt is left by now. */
    if (!ok && background >= 0)
        daemon_started(background, 1);
    setup_unref(&first);
    int status = ok && !p->failed ? 0 : 1;
    if (p->left_thread) {
        fflush(NULL);
        _exit(status);
    }
    return status;
}

static int run_or_answer(struct options *o)
{
    struct program p = {.options = o};
    if (o->action == OPTIONS_CHECK)
        return check_configuration(o);
    p.setup = program_load(o, NULL, NULL);
    if (!p.setup && o->request.profile == CONFIG_URL)
        return 2;
    if (!p.setup && o->action == OPTIONS_RUN)
        log_fatal("cannot load config file");
    if (!p.setup)
        return 1;
    if (o->action == OPTIONS_RUN)
        return run(&p);
    int status = answer_only(o, p.setup);
    setup_unref(&p.setup);
    return status;
}

int main(int argc, char **argv)
{
    struct options o;
    struct error err;
    options_parse(&o, argc, argv, environ);
    if (o.action == OPTIONS_EXIT)
        return o.status;
    signal(SIGPIPE, SIG_IGN);
    tls_memory_install();
    log_set_level(
        (enum log_level)(LOG_INFO_LEVEL + (o.request.verbose > 2 ? 2 : o.request.verbose)));
    log_set_stderr(!o.quiet);
    log_set_json(false);
    if (!auth_init(&err)) {
        log_fatal("%s", err.text);
        return 1;
    }
    int status = run_or_answer(&o);
    auth_fini();
    options_fini(&o);
    return status;
}
