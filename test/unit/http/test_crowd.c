/* SPDX-License-Identifier: PostgreSQL */
/* test_crowd.c - what is left of a connection of the HTTP server when it has been closed. */
#include "http/crowd.h"

#include <arpa/inet.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
    struct event_base *base;
    struct evhttp *server;
    struct crowd *crowd;
    struct bufferevent *newest; /* crowd's and evhttp's */
    struct evhttp_request *asked;
    bool answers;
    struct sockaddr_in address;
    unsigned told;
    short still; /* events that were on the descriptor when told */
};

static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
    struct scene *s = arg;
    s->newest = bufferevent_socket_new(base, -1, 0);
    crowd_add(s->crowd, s->newest, 1);
    return s->newest;
}

static void on_request(struct evhttp_request *req, void *arg)
{
    struct scene *s = arg;
    s->asked = req;
    if (s->answers)
        evhttp_send_reply(req, 200, "OK", NULL);
}

static void tell(void *arg)
{
    struct scene *s = arg;
    s->told++;
    s->still = bufferevent_get_enabled(s->newest);
}

static void set_up(struct scene *s)
{
    socklen_t size = sizeof s->address;
    memset(s, 0, sizeof *s);
    s->base = event_base_new();
    s->crowd = crowd_new(s->base);
    s->server = evhttp_new(s->base);
    evhttp_set_bevcb(s->server, on_connection, s);
    evhttp_set_gencb(s->server, on_request, s);
    struct evhttp_bound_socket *bound = evhttp_bind_socket_with_handle(s->server, "127.0.0.1", 0);
    assert_non_null(bound);
    assert_int_equal(
        getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&s->address, &size), 0);
}

static void tear_down(struct scene *s)
{
    evhttp_free(s->server);
    crowd_free(&s->crowd);
    event_base_free(s->base);
}

static int connected(struct scene *s)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&s->address, sizeof s->address), 0);
    while (!s->newest)
        event_base_loop(s->base, EVLOOP_ONCE);
    return fd;
}

static void ask(int peer)
{
    const char request[] = "GET / HTTP/1.0\r\n\r\n";
    assert_int_equal(write(peer, request, strlen(request)), strlen(request));
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    char byte;
    (void)what;
    *(bool *)arg = read(fd, &byte, 1) == 1;
}

static void test_a_closed_connection_leaves_no_event_on_its_descriptor(void **state)
{
    struct scene s;
    bool heard = false;
    int ends[2];
    (void)state;
    set_up(&s);
    assert_int_equal(pipe(ends), 0);
    int peer = connected(&s);
    int number = bufferevent_getfd(s.newest);
    s.answers = true;
    ask(peer);
    while (is_open(number))
        event_base_loop(s.base, EVLOOP_ONCE);
    /* Its number is had by something else that the loop is to look at. */
    assert_int_equal(dup2(ends[0], number), number);
    struct event *event = event_new(s.base, number, EV_READ, on_readable, &heard);
    event_add(event, NULL);
    assert_int_equal(write(ends[1], "x", 1), 1);
    event_base_loop(s.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    assert_true(heard);
    event_free(event);
    close(number);
    close(ends[0]);
    close(ends[1]);
    close(peer);
    tear_down(&s);
}

static void test_who_asked_is_told_of_the_close_unless_it_has_taken_that_back(void **state)
{
    (void)state;
    for (unsigned wants = 0; wants < 2; wants++) {
        struct scene s;
        set_up(&s);
        int peer = connected(&s);
        int number = bufferevent_getfd(s.newest);
        ask(peer);
        while (!s.asked)
            event_base_loop(s.base, EVLOOP_ONCE);
        struct evhttp_connection *connection = evhttp_request_get_connection(s.asked);
        crowd_heard(s.crowd, connection, 2);
        crowd_on_close(s.crowd, connection, tell, &s);
        if (!wants)
            crowd_on_close(s.crowd, connection, NULL, NULL);
        evhttp_send_reply(s.asked, 200, "OK", NULL);
        while (is_open(number))
            event_base_loop(s.base, EVLOOP_ONCE);
        assert_int_equal(s.told, wants);
        assert_int_equal(s.still, 0);
        close(peer);
        tear_down(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_closed_connection_leaves_no_event_on_its_descriptor),
        cmocka_unit_test(test_who_asked_is_told_of_the_close_unless_it_has_taken_that_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
