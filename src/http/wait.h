/* SPDX-License-Identifier: PostgreSQL */
/* wait.h - requests to /health/db?wake=1: they are answered when the database has been woken or
 * cannot be, but within WAIT_MOST_US whatever it does. */
#ifndef HTTP_WAIT_H
#define HTTP_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct crowd;
struct event_base;
struct evhttp_request;
struct waits;

/* Health has to be told within 2 s. */
#define WAIT_MOST_US 1800000ULL

struct waits_ops {
    uint64_t (*now)(void *owner);
    bool (*is_settled)(void *owner); /* there is nothing to wait for any more */
    /* Answers the request, which is then not ours. */
    void (*reply)(void *owner, struct evhttp_request *req);
};

/* Looks every 50 ms, while somebody waits. */
struct waits *waits_new(struct event_base *base, struct crowd *crowd, const struct waits_ops *ops,
                        void *owner);
/* Before the server, whose requests then end unanswered. */
void waits_free(struct waits **w);

void waits_add(struct waits *w, struct evhttp_request *req);

#endif
