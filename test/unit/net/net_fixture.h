/* SPDX-License-Identifier: PostgreSQL */
/* net_fixture.h - what the tests of net/ share: waiting with a deadline, connected sockets, an
 * owner of a stream that writes down what happens to it. */
#ifndef TEST_NET_FIXTURE_H
#define TEST_NET_FIXTURE_H

#include "base/buf.h"
#include "base/clock.h"
#include "net/loop.h"
#include "net/outgoing.h"
#include "net/stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ROWS(table) (sizeof(table) / sizeof *(table))
#define MAYBE_UNUSED __attribute__((unused))

/* Far beyond what anything here takes, also under a sanitizer on a busy machine. */
#define PATIENCE_US (30 * US_PER_S)

/* Runs the loop until the condition holds; a test that waits longer than PATIENCE_US fails. */
#define UNTIL(l, condition)                                                                        \
    do {                                                                                           \
        struct timer patience_;                                                                    \
        bool over_ = false;                                                                        \
        timer_init(&patience_, (l), fixture_set_true, &over_);                                     \
        timer_set(&patience_, loop_now(l) + PATIENCE_US);                                          \
        while (!(condition) && !over_)                                                             \
            loop_turn(l);                                                                          \
        timer_fini(&patience_);                                                                    \
        if (over_)                                                                                 \
            fail_msg("waited in vain for: %s", #condition);                                        \
    } while (0)

static MAYBE_UNUSED void fixture_set_true(void *arg)
{
    *(bool *)arg = true;
}

/* Lets the loop run for a while in which nothing is expected to happen. */
static MAYBE_UNUSED void run_for(struct loop *l, uint64_t us)
{
    struct timer t;
    bool over = false;
    timer_init(&t, l, fixture_set_true, &over);
    timer_set(&t, loop_now(l) + us);
    while (!over)
        loop_turn(l);
    timer_fini(&t);
}

/* ---- sockets --------------------------------------------------------------------------- */

static MAYBE_UNUSED void set_nonblocking(int fd)
{
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/* Two ends of a Unix socket; small: that take only a few KiB at a time. */
static MAYBE_UNUSED void open_unix_pair(int fds[2], bool small)
{
    const int size = 4096;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    for (int i = 0; small && i < 2; i++)
        setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static MAYBE_UNUSED int listen_on_loopback(struct sockaddr_in *a)
{
    socklen_t len = sizeof *a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)a, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)a, &len), 0);
    return fd;
}

static MAYBE_UNUSED void open_tcp_pair(int fds[2])
{
    struct sockaddr_in a;
    int l = listen_on_loopback(&a);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&a, sizeof a), 0);
    fds[1] = accept(l, NULL, NULL);
    assert_true(fds[1] >= 0);
    close(l);
    set_nonblocking(fds[0]);
    set_nonblocking(fds[1]);
}

/* The next close of it is a reset. */
static MAYBE_UNUSED void close_with_reset(int fd)
{
    const struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

/* ---- bytes ----------------------------------------------------------------------------- */

static MAYBE_UNUSED uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static MAYBE_UNUSED void fill_pattern(uint8_t *p, size_t from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = pattern(from + i);
}

/* ---- an owner -------------------------------------------------------------------------- */

enum party_event {
    PARTY_INPUT = 1,
    PARTY_DRAINED = 2,
    PARTY_END = 4,
    PARTY_HANDSHAKE = 8,
    PARTY_HANGUP = 16,
};

struct party {
    struct stream stream;
    int fd; /* to disturb the stream from below */
    struct buf in;
    bool forget; /* input is checked against the pattern, not kept */
    size_t n_in;
    int inputs, drained, ends, handshakes, hangups;
    enum stream_end how;
    struct error error;
    unsigned close_in; /* events in which the stream is closed */
    void (*also)(struct party *p, enum party_event e);
    void *data;
};

static MAYBE_UNUSED void party_event(struct party *p, enum party_event e)
{
    if (p->also)
        p->also(p, e);
    if (p->close_in & e)
        stream_close(&p->stream);
}

static MAYBE_UNUSED void party_on_input(void *owner, struct span bytes)
{
    struct party *p = owner;
    assert_true(bytes.n > 0);
    p->inputs++;
    for (size_t i = 0; p->forget && i < bytes.n; i++) {
        if (bytes.p[i] != pattern(p->n_in + i))
            fail_msg("byte %zu is wrong", p->n_in + i);
    }
    if (!p->forget)
        buf_append(&p->in, bytes.p, bytes.n);
    p->n_in += bytes.n;
    party_event(p, PARTY_INPUT);
}

static MAYBE_UNUSED void party_on_drained(void *owner)
{
    struct party *p = owner;
    p->drained++;
    party_event(p, PARTY_DRAINED);
}

static MAYBE_UNUSED void party_on_end(void *owner, enum stream_end how, const struct error *err)
{
    struct party *p = owner;
    p->ends++;
    p->how = how;
    assert_non_null(err);
    p->error = *err;
    party_event(p, PARTY_END);
}

static MAYBE_UNUSED void party_on_handshake(void *owner)
{
    struct party *p = owner;
    p->handshakes++;
    party_event(p, PARTY_HANDSHAKE);
}

static MAYBE_UNUSED void party_on_hangup(void *owner)
{
    struct party *p = owner;
    p->hangups++;
    party_event(p, PARTY_HANGUP);
}

static MAYBE_UNUSED const struct stream_ops party_ops = {
    .on_input = party_on_input,
    .on_drained = party_on_drained,
    .on_end = party_on_end,
    .on_handshake = party_on_handshake,
    .on_hangup = party_on_hangup,
};

static MAYBE_UNUSED void party_open(struct party *p, struct loop *l, int fd)
{
    *p = (struct party){.fd = fd};
    stream_init(&p->stream, &party_ops, p);
    stream_open(&p->stream, l, fd);
}

static MAYBE_UNUSED void party_close(struct party *p)
{
    stream_close(&p->stream);
    buf_reset(&p->in);
}

static MAYBE_UNUSED bool party_has(const struct party *p, const char *text)
{
    return span_is(buf_span(&p->in), text);
}

#endif
