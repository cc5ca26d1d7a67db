/* SPDX-License-Identifier: PostgreSQL */
/* common.c - failing, time, loopback sockets, byte strings. */
#include "common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* A storm of new connections must not overflow it: a lost SYN costs a second. */
#define LISTEN_BACKLOG 4096
/* 127.0.0.1 and the next ones. */
#define SOURCES 64

_Noreturn void die(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t parse_number(const char *option, const char *text, uint64_t min, uint64_t max)
{
    char *end;

    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || value < min || value > max)
        die("--%s \"%s\" is not a number from %llu to %llu", option, text, (unsigned long long)min,
            (unsigned long long)max);
    return value;
}

void prepare_process(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            die("cannot raise the limit of descriptors: %s", strerror(errno));
    }
    signal(SIGPIPE, SIG_IGN);
}

static struct sockaddr_in local_address(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void set_nodelay(int fd)
{
    int on = 1;

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
        die("cannot set TCP_NODELAY: %s", strerror(errno));
}

int listen_local(uint16_t port)
{
    struct sockaddr_in address = local_address(port);
    int on = 1;

    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, LISTEN_BACKLOG) != 0)
        die("cannot listen on 127.0.0.1:%u: %s", port, strerror(errno));
    return fd;
}

int accept_local(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0)
        set_nodelay(fd);
    else if (errno == EMFILE || errno == ENFILE)
        die("too many connections: %s", strerror(errno));
    return fd;
}

/* One source address has some 28,000 ports, and a port that was used is free again after a second
 * only: at 14,000 connections a second the kernel would be what is measured. */
static void choose_source(int fd)
{
    static uint32_t turn;
    struct sockaddr_in source = local_address(0);
    int on = 1;

    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + turn++ % SOURCES);
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&source, sizeof(source)) != 0)
        die("cannot use a source address: %s", strerror(errno));
}

int connect_local(uint16_t port)
{
    struct sockaddr_in address = local_address(port);

    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("cannot make a socket: %s", strerror(errno));
    set_nodelay(fd);
    choose_source(fd);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno != EINPROGRESS) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

bool connect_succeeded(int fd)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return false;
    errno = error;
    return error == 0;
}

int make_epoll(void)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0)
        die("cannot make an epoll: %s", strerror(errno));
    return epoll;
}

static void control(int epoll, int operation, int fd, uint32_t events, void *owner)
{
    struct epoll_event event = {.events = events, .data.ptr = owner};

    if (epoll_ctl(epoll, operation, fd, &event) != 0)
        die("cannot watch a socket: %s", strerror(errno));
}

void watch(int epoll, int fd, uint32_t events, void *owner)
{
    control(epoll, EPOLL_CTL_ADD, fd, events, owner);
}

void watch_change(int epoll, int fd, uint32_t events, void *owner)
{
    control(epoll, EPOLL_CTL_MOD, fd, events, owner);
}

uint8_t *bytes_reserve(struct bytes *b, size_t n)
{
    if (b->start > 0 && b->room - b->end < n) {
        memmove(b->data, b->data + b->start, bytes_len(b));
        b->end -= b->start;
        b->start = 0;
    }
    if (b->room - b->end < n) {
        size_t room = 2 * b->room > b->end + n ? 2 * b->room : b->end + n;
        b->data = realloc(b->data, room);
        if (b->data == NULL)
            die("out of memory");
        b->room = room;
    }
    return b->data + b->end;
}

void bytes_add(struct bytes *b, const void *data, size_t n)
{
    if (n == 0)
        return;
    memcpy(bytes_reserve(b, n), data, n);
    b->end += n;
}

void bytes_consume(struct bytes *b, size_t n)
{
    b->start += n;
    if (b->start == b->end)
        bytes_clear(b);
}

void bytes_clear(struct bytes *b)
{
    b->start = b->end = 0;
}

void bytes_free(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}
