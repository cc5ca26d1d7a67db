/* SPDX-License-Identifier: PostgreSQL */
#include "net/listener.h"

#include "net_fixture.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

struct host {
    struct loop *loop;
    struct listeners *ls;
    int fds[64];
    struct addr peers[64];
    int n, troubles;
    bool pause_after_first;
    struct error error;
};

static void on_accept(void *owner, int fd, const struct addr *peer)
{
    struct host *h = owner;
    h->peers[h->n] = *peer;
    h->fds[h->n++] = fd;
    if (h->pause_after_first)
        listeners_pause(h->ls);
}

static void on_trouble(void *owner, const struct error *err)
{
    struct host *h = owner;
    h->troubles++;
    h->error = *err;
}

static const struct listener_ops ops = {.on_accept = on_accept, .on_trouble = on_trouble};

static void host_open(struct host *h)
{
    const struct listener_options o = {.tcp = {.keepalive = true, .keepidle_s = 77}};
    *h = (struct host){.loop = loop_new()};
    h->ls = listeners_new(h->loop, &o, &ops, h);
}

static void host_close(struct host *h)
{
    for (int i = 0; i < h->n; i++)
        close(h->fds[i]);
    listeners_free(&h->ls);
    assert_null(h->ls);
    loop_free(&h->loop);
}

static int dial(const struct addr *a)
{
    int fd = socket(a->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &a->u.sa, a->len), 0);
    return fd;
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    getsockopt(fd, level, name, &value, &len);
    return value;
}

static void test_listener_accepts_tcp_connections_ready_for_use(void **state)
{
    (void)state;
    struct host h;
    struct error err;
    struct addr local;
    host_open(&h);
    assert_true(listeners_add_tcp(h.ls, "127.0.0.1", 0, &err));
    int fd = dial(listeners_addr(h.ls, 0));
    UNTIL(h.loop, h.n == 1);
    assert_true(fcntl(h.fds[0], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(h.fds[0], F_GETFD) & FD_CLOEXEC);
    assert_int_equal(option(h.fds[0], IPPROTO_TCP, TCP_NODELAY), 1);
    assert_int_equal(option(h.fds[0], SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(option(h.fds[0], IPPROTO_TCP, TCP_KEEPIDLE), 77);
    local.len = sizeof local.u;
    getsockname(fd, &local.u.sa, &local.len);
    assert_true(addr_equal(&local, &h.peers[0]));
    close(fd);
    host_close(&h);
}

static void test_listener_that_defers_shows_a_connection_when_it_has_spoken(void **state)
{
    (void)state;
    struct host h;
    struct error err;
    host_open(&h);
    assert_true(listeners_add_tcp(h.ls, "127.0.0.1", 0, &err));
    listeners_defer_accept(h.ls, true);
    int silent = dial(listeners_addr(h.ls, 0));
    int speaking = dial(listeners_addr(h.ls, 0));
    struct addr local = {.len = sizeof local.u};
    getsockname(speaking, &local.u.sa, &local.len);
    assert_int_equal(send(speaking, "x", 1, 0), 1);
    UNTIL(h.loop, h.n == 1);
    assert_true(addr_equal(&local, &h.peers[0]));
    close(silent);
    close(speaking);
    host_close(&h);
}

static void test_listener_star_and_names_listen_on_every_family(void **state)
{
    (void)state;
    struct host h;
    struct error err;
    host_open(&h);
    assert_true(listeners_add_tcp(h.ls, "*", 0, &err));
    size_t n = listeners_count(h.ls);
    assert_true(n >= 1);
    assert_true(listeners_add_tcp(h.ls, "localhost", 0, &err));
    assert_true(listeners_count(h.ls) > n);
    assert_false(listeners_add_tcp(h.ls, "no.such.host.invalid", 0, &err));
    assert_non_null(strstr(err.text, "could not resolve listen address \"no.such.host.invalid\""));
    assert_false(listeners_add_tcp(h.ls, "192.0.2.1", 5432, &err)); /* not ours */
    assert_string_equal(err.text,
                        "could not listen on 192.0.2.1:5432: Cannot assign requested address");
    uint16_t port = addr_port(listeners_addr(h.ls, 0));
    assert_false(listeners_add_tcp(h.ls, "*", port, &err));
    assert_non_null(strstr(err.text, "Address already in use"));
    host_close(&h);
}

static void test_listener_makes_unix_sockets_with_their_mode_and_removes_them(void **state)
{
    (void)state;
    struct host h;
    struct error err;
    struct addr a;
    struct stat st;
    char dir[] = "/tmp/pgballast-listen.XXXXXX", path[64], abstract[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    snprintf(abstract, sizeof abstract, "@pgballast-test-%ld", (long)getpid());
    host_open(&h);
    assert_true(listeners_add_unix(h.ls, path, 0640, &err));
    assert_true(listeners_add_unix(h.ls, abstract, 0, &err));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_true(addr_from_path(&a, path));
    close(dial(&a));
    assert_true(addr_from_path(&a, abstract));
    close(dial(&a));
    UNTIL(h.loop, h.n == 2);
    assert_true(addr_is_unix(&h.peers[0]));
    host_close(&h);
    assert_int_equal(stat(path, &st), -1);
    rmdir(dir);
}

static void test_listener_replaces_a_stale_socket_but_not_a_living_one_or_a_file(void **state)
{
    (void)state;
    struct host h, second;
    struct error err;
    struct stat st;
    char dir[] = "/tmp/pgballast-listen.XXXXXX", path[64], want[192];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    struct addr a;
    assert_true(addr_from_path(&a, path));
    int stale = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(stale, &a.u.sa, a.len), 0);
    close(stale);
    host_open(&h);
    host_open(&second);
    assert_true(listeners_add_unix(h.ls, path, 0700, &err));
    assert_false(listeners_add_unix(second.ls, path, 0700, &err));
    snprintf(want, sizeof want,
             "unix socket is in use, cannot continue: another process answers on \"%s\"", path);
    assert_string_equal(err.text, want);
    /* Somebody puts his own there: it is not removed with ours. */
    unlink(path);
    assert_true(listeners_add_unix(second.ls, path, 0700, &err));
    host_close(&h);
    assert_int_equal(stat(path, &st), 0);
    host_close(&second);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(fd);
    host_open(&h);
    assert_false(listeners_add_unix(h.ls, path, 0700, &err));
    snprintf(want, sizeof want, "\"%s\" exists and is not a socket", path);
    assert_string_equal(err.text, want);
    host_close(&h);
    unlink(path);
    rmdir(dir);
}

static void test_listener_takes_inherited_sockets_that_listen(void **state)
{
    (void)state;
    struct host h;
    struct error err;
    struct sockaddr_in in;
    int fd = listen_on_loopback(&in), plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    host_open(&h);
    assert_false(listeners_add_inherited(h.ls, plain, &err));
    close(plain);
    assert_true(listeners_add_inherited(h.ls, fd, &err));
    int c = dial(listeners_addr(h.ls, 0));
    UNTIL(h.loop, h.n == 1);
    close(c);
    host_close(&h);
}

/* As systemd opens them without BindIPv6Only: rules for IPv4 addresses are for these peers too. */
static void test_listener_knows_ipv4_peers_on_a_socket_of_both_families(void **state)
{
    (void)state;
    struct host h;
    struct error err;
    struct addr any, to;
    char text[ADDR_TEXT];
    int zero = 0, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        skip(); /* no IPv6 here */
    assert_true(addr_from_literal(&any, "::", 0));
    assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero), 0);
    assert_int_equal(bind(fd, &any.u.sa, any.len), 0);
    assert_int_equal(listen(fd, 1), 0);
    host_open(&h);
    assert_true(listeners_add_inherited(h.ls, fd, &err));
    assert_true(addr_from_literal(&to, "127.0.0.1", addr_port(listeners_addr(h.ls, 0))));
    int c = dial(&to);
    UNTIL(h.loop, h.n == 1);
    assert_int_equal(h.peers[0].u.sa.sa_family, AF_INET);
    assert_string_equal(addr_host_text(&h.peers[0], text, sizeof text), "127.0.0.1");
    close(c);
    host_close(&h);
}

static void test_listener_pauses_resumes_and_closes(void **state)
{
    (void)state;
    struct host h;
    struct error err;
    host_open(&h);
    assert_true(listeners_add_tcp(h.ls, "127.0.0.1", 0, &err));
    struct addr a = *listeners_addr(h.ls, 0);
    h.pause_after_first = true;
    int one = dial(&a), two = dial(&a);
    run_for(h.loop, 20000);
    assert_int_equal(h.n, 1); /* paused from inside the callback */
    h.pause_after_first = false;
    listeners_resume(h.ls);
    UNTIL(h.loop, h.n == 2);
    listeners_close(h.ls);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &a.u.sa, a.len), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    close(one);
    close(two);
    host_close(&h);
}

static void
test_listener_takes_the_place_of_a_living_unix_socket_which_keeps_another_name(void **state)
{
    (void)state;
    char dir[] = "/tmp/pgballast-listen.XXXXXX", path[64], old[64], beside[64];
    const struct listener_options o = {.replace_unix = true};
    struct host first, second = {.loop = loop_new()};
    struct addr a, b;
    struct error err;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    snprintf(old, sizeof old, "%s/s" LISTENER_OLD, dir);
    snprintf(beside, sizeof beside, "%s/s.new", dir);
    assert_true(addr_from_path(&a, path) && addr_from_path(&b, old));
    host_open(&first);
    second.ls = listeners_new(second.loop, &o, &ops, &second);
    assert_true(listeners_add_unix(first.ls, path, 0700, &err));
    assert_true(listeners_add_unix(second.ls, path, 0700, &err));
    assert_true(addr_equal(listeners_addr(second.ls, 0), &a));
    int one = dial(&a), two = dial(&b);
    UNTIL(second.loop, second.n == 1);
    UNTIL(first.loop, first.n == 1);
    host_close(&first); /* removes nothing of the other's */
    assert_int_equal(access(path, F_OK), 0);
    host_close(&second);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(beside, F_OK), -1);
    close(one);
    close(two);
    unlink(old);
    assert_int_equal(rmdir(dir), 0);
}

static void test_listener_accepts_who_has_connected_before_it_closes(void **state)
{
    (void)state;
    struct host h;
    struct error err;
    host_open(&h);
    assert_true(listeners_can_reuse_port(&err));
    assert_true(listeners_add_tcp(h.ls, "127.0.0.1", 0, &err));
    struct addr a = *listeners_addr(h.ls, 0);
    int one = dial(&a), two = dial(&a);
    listeners_close_tcp(h.ls);
    assert_int_equal(h.n, 2);
    close(one);
    close(two);
    host_close(&h);
}

static uint64_t cpu_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * US_PER_S + (uint64_t)ts.tv_nsec / 1000;
}

static void test_listener_neither_spins_nor_keeps_peers_waiting_without_descriptors(void **state)
{
    (void)state;
    enum { PEERS = 8 };
    struct host h;
    struct error err;
    struct rlimit limit, low;
    int peers[PEERS];
    char byte;
    host_open(&h);
    assert_true(listeners_add_tcp(h.ls, "127.0.0.1", 0, &err));
    for (int i = 0; i < PEERS; i++)
        peers[i] = dial(listeners_addr(h.ls, 0));
    getrlimit(RLIMIT_NOFILE, &limit);
    low = limit;
    low.rlim_cur = (rlim_t)dup(0); /* the lowest number that is free */
    close((int)low.rlim_cur);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    uint64_t before = cpu_us();
    run_for(h.loop, 350000);
    assert_true(cpu_us() - before < 100000);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(h.n, 0);
    assert_int_equal(h.troubles, 1);
    assert_string_equal(h.error.text, "could not accept a connection: Too many open files");
    /* Who waited longest was told, one each 100 ms. */
    int told = 0;
    while (told < PEERS && recv(peers[told], &byte, 1, MSG_DONTWAIT) == 0)
        told++;
    assert_in_range(told, 2, 5);
    UNTIL(h.loop, h.n == PEERS - told);
    for (int i = 0; i < PEERS; i++)
        close(peers[i]);
    host_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listener_accepts_tcp_connections_ready_for_use),
        cmocka_unit_test(test_listener_that_defers_shows_a_connection_when_it_has_spoken),
        cmocka_unit_test(test_listener_star_and_names_listen_on_every_family),
        cmocka_unit_test(test_listener_makes_unix_sockets_with_their_mode_and_removes_them),
        cmocka_unit_test(test_listener_replaces_a_stale_socket_but_not_a_living_one_or_a_file),
        cmocka_unit_test(test_listener_takes_inherited_sockets_that_listen),
        cmocka_unit_test(test_listener_knows_ipv4_peers_on_a_socket_of_both_families),
        cmocka_unit_test(test_listener_pauses_resumes_and_closes),
        cmocka_unit_test(
            test_listener_takes_the_place_of_a_living_unix_socket_which_keeps_another_name),
        cmocka_unit_test(test_listener_accepts_who_has_connected_before_it_closes),
        cmocka_unit_test(test_listener_neither_spins_nor_keeps_peers_waiting_without_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
