/* SPDX-License-Identifier: PostgreSQL */
/* common.h - what the benchmark programs share: failing, time, loopback sockets, byte strings.
 *
 * canned, relay and load measure pgballast and share no code with it, so that a mistake of its
 * cannot hide in the instrument. Each is one thread with one epoll; a condition they cannot work
 * under ends the program with a message. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#define NS_PER_US 1000ULL
#define NS_PER_S 1000000000ULL

/* Connections are few thousand, events per wake-up a fraction of them. */
#define EVENTS_MAX 256

/* Prints "program: message" and exits with status 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Monotonic nanoseconds. */
uint64_t now_ns(void);

/* The value of a command line option; dies naming the option unless it lies within the bounds. */
uint64_t parse_number(const char *option, const char *text, uint64_t min, uint64_t max);

/* Raises the limit of open descriptors as far as it goes and ignores SIGPIPE. */
void prepare_process(void);

/* All sockets are TCP on 127.0.0.1, non-blocking, without delay. */
int listen_local(uint16_t port);
/* The next connection; -1 when there is none now or the limit of descriptors is reached. */
int accept_local(int listener);
/* A connection under way: writable once it is made. -1 with errno when it failed at once. */
int connect_local(uint16_t port);
/* The outcome of a connect, once writable. */
bool connect_succeeded(int fd);

int make_epoll(void);
/* Starts, changes, ends watching; `owner` comes back in the event. Descriptors that are closed
 * need no watch_end. */
void watch(int epoll, int fd, uint32_t events, void *owner);
void watch_change(int epoll, int fd, uint32_t events, void *owner);

/* A growing byte string. `start` is the first byte not yet consumed. All zero is empty. */
struct bytes {
    uint8_t *data;
    size_t start, end, room;
};

static inline size_t bytes_len(const struct bytes *b)
{
    return b->end - b->start;
}

/* Room for n more bytes at the end; the caller fills it and adds to `end`. */
uint8_t *bytes_reserve(struct bytes *b, size_t n);
void bytes_add(struct bytes *b, const void *data, size_t n);
void bytes_consume(struct bytes *b, size_t n);
void bytes_clear(struct bytes *b);
/* Gives the memory back. */
void bytes_free(struct bytes *b);

#endif
