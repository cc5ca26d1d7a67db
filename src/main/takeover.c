/* SPDX-License-Identifier: PostgreSQL */
/* takeover.c - a short conversation with the process whose place we take. */
#include "main/takeover.h"

#include "base/addr.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/config.h"
#include "main/listen.h"
#include "proto/frame.h"
#include "proto/frontend.h"
#include "proto/report.h"
#include "proto/startup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_S 10
/* Its answers are short. */
#define ANSWER_MAX 65536

struct takeover {
    int fd;
    pid_t pid;
    struct buf in;
};

/* ---- messages -------------------------------------------------------------------------- */

static bool send_all(struct takeover *t, struct buf *b, struct error *err)
{
    struct span rest = buf_span(b);
    while (rest.n) {
        ssize_t n = send(t->fd, rest.p, rest.n, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        rest = span_of(rest.p + n, rest.n - (size_t)n);
    }
    bool ok = rest.n == 0;
    if (!ok)
        error_set(err, "", "could not send to it: %s", strerror(errno));
    buf_reset(b);
    return ok;
}

static bool receive_more(struct takeover *t, struct error *err)
{
    uint8_t bytes[4096];
    ssize_t n = recv(t->fd, bytes, sizeof bytes, 0);
    if (n < 0)
        return error_set(err, "", "no answer: %s", strerror(errno));
    if (n == 0)
        return error_set(err, "", "it has closed the connection");
    buf_append(&t->in, bytes, (size_t)n);
    return buf_len(&t->in) <= ANSWER_MAX || error_set(err, "", "its answer is too long");
}

static bool refused(struct span body, struct error *err)
{
    struct report r;
    if (!report_parse(body, &r))
        return error_set(err, "", "it says what is no PostgreSQL protocol");
    return error_set(err, "", "it says: %.*s", (int)(r.message.n < 200 ? r.message.n : 200),
                     (const char *)r.message.p);
}

/* The first text of a DataRow with one column. */
static void keep_text(struct span body, char *text, size_t size)
{
    text[0] = '\0';
    if (body.n > 6 && frame_u16(body.p) == 1)
        (void)span_to_str(span_of(body.p + 6, body.n - 6), text, size);
}

/* Reads until ReadyForQuery; `text` (may be NULL) is what the last row says. */
static bool await_ready(struct takeover *t, char *text, size_t size, struct error *err)
{
    struct frame f;
    for (;;) {
        switch (frame_next(buf_span(&t->in), &f)) {
        case FRAME_BAD:
            return error_set(err, "", "it says what is no PostgreSQL protocol");
        case FRAME_OK:
            if (f.whole)
                break;
            /* fall through */
        case FRAME_MORE:
            if (!receive_more(t, err))
                return false;
            continue;
        }
        if (f.type == BE_ERROR)
            return refused(f.body, err);
        if (f.type == BE_DATA_ROW && text)
            keep_text(f.body, text, size);
        bool ready = f.type == BE_READY_FOR_QUERY;
        buf_consume(&t->in, f.total);
        if (ready)
            return true;
    }
}

static bool log_in(struct takeover *t, struct error *err)
{
    const struct startup_pair pairs[] = {
        {span_str("user"), span_str("pgbouncer")},
        {span_str("database"), span_str("pgbouncer")},
    };
    struct buf b = {0};
    startup_build(&b, pairs, sizeof pairs / sizeof pairs[0]);
    return send_all(t, &b, err) && await_ready(t, NULL, 0, err);
}

static bool ask(struct takeover *t, const char *query, char *text, size_t size, struct error *err)
{
    struct buf b = {0};
    frontend_build_query(&b, span_str(query));
    return send_all(t, &b, err) && await_ready(t, text, size, err);
}

/* ---- the old process ------------------------------------------------------------------- */

/* -1: nobody answers. */
static int dial(const struct addr *a, pid_t *pid_out)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    struct ucred cred = {0};
    socklen_t len = sizeof cred;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, &a->u.sa, a->len) != 0) {
        close(fd);
        return -1;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0)
        *pid_out = cred.pid;
    return fd;
}

/* It must understand what we will ask of it. */
static bool is_of_our_kind(struct takeover *t, struct error *err)
{
    char version[128] = "";
    if (!log_in(t, err) || !ask(t, "SHOW VERSION", version, sizeof version, err))
        return false;
    if (strncmp(version, PACKAGE_NAME " ", sizeof PACKAGE_NAME) == 0)
        return true;
    return error_set(err, "", "it is \"%s\": end it with SIGTERM, then start without -R", version);
}

static char *socket_path(const struct config *cfg, struct addr *a, struct error *err)
{
    if (cfg->unix_socket_dir[0] == '@' || !cfg->unix_socket_dir[0]) {
        error_set(err, "",
                  "-R finds the old process by its Unix socket in the file system: "
                  "unix_socket_dir must name a directory");
        return NULL;
    }
    char *path = listen_unix_path(cfg);
    if (addr_from_path(a, path))
        return path;
    error_set(err, "", "Unix socket path \"%.100s\" is too long", path);
    free(path);
    return NULL;
}

bool takeover_find(const struct config *cfg, struct takeover **out, struct error *err)
{
    struct addr a;
    struct error why;
    *out = NULL;
    char *path = socket_path(cfg, &a, err);
    if (!path)
        return false;
    struct takeover *t = xcalloc(1, sizeof *t);
    t->fd = dial(&a, &t->pid);
    bool found = t->fd >= 0;
    bool ok = !found || is_of_our_kind(t, &why);
    if (!found)
        log_info("-R: nobody answers on %s, this is an ordinary start", path);
    else if (ok)
        log_info("-R: taking over from process %d", (int)t->pid);
    else
        error_set(err, "", "-R: could not take over from process %d: %s", (int)t->pid, why.text);
    free(path);
    *out = t;
    if (!found || !ok)
        takeover_abandon(out);
    return ok;
}

pid_t takeover_predecessor(const struct takeover *t)
{
    return t ? t->pid : 0;
}

bool takeover_finish(struct takeover **tp, struct error *err)
{
    struct takeover *t = *tp;
    struct error why;
    bool ok = ask(t, "SHUTDOWN WAIT_FOR_CLIENTS", NULL, 0, &why);
    if (ok)
        log_info("-R: process %d ends when its clients have left", (int)t->pid);
    else
        error_set(err, "", "-R: process %d does not make room: %s", (int)t->pid, why.text);
    takeover_abandon(tp);
    return ok;
}

void takeover_abandon(struct takeover **tp)
{
    struct takeover *t = *tp;
    struct buf goodbye = {0};
    struct error ignored;
    if (!t)
        return;
    if (t->fd >= 0) {
        frontend_build_terminate(&goodbye);
        (void)send_all(t, &goodbye, &ignored);
        close(t->fd);
    }
    buf_reset(&t->in);
    free(t);
    *tp = NULL;
}
