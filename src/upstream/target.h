/* SPDX-License-Identifier: PostgreSQL */
/* target.h - a host and port that we connect to: may another connection be opened now?
 *
 * Decides, never connects. Shared by all workers under its own mutex; `now_us` is passed in. The
 * circuit breaker and the back-off live here because they are facts about the far end, not about a
 * pool: several pools of one database host share them.
 *
 *   breaker:  CLOSED -> OPEN (breaker_failures fast failures in a row, or a slow one)
 *             OPEN -> HALF_OPEN when its time is over and a client asks: exactly one probe
 *             HALF_OPEN -> CLOSED (the probe was answered: logged in, or refused for a reason that
 *                          is about a user or about our number) or OPEN (it failed, for longer)
 *
 * A permanent failure is about a user or a database: it holds up nobody else here. Attempts in
 * parallel that fail the same way count once, and what ends after the breaker opened or a limiter
 * refused us but began before changes neither back-off nor limit; only a success closes the breaker
 * whenever it comes.
 *
 * While a target was never contacted, is asleep (our idle servers were closed by it) or failing,
 * one connection attempt at a time goes out; everybody else waits for its end. A success lets
 * max_connects of them run in parallel. */
#ifndef UPSTREAM_TARGET_H
#define UPSTREAM_TARGET_H

#include "base/error.h"
#include "upstream/failure.h"

#include <stdbool.h>
#include <stdint.h>

struct target;

enum target_state {
    TARGET_UNKNOWN, /* never contacted */
    TARGET_AWAKE,
    TARGET_ASLEEP, /* it closed our idle servers: the next connection wakes it */
    TARGET_WAKING, /* the probe is under way */
    TARGET_FAILING,
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct target_limits {
    unsigned max_connects;     /* in parallel while awake */
    unsigned breaker_failures; /* in a row until the breaker opens */
    uint64_t breaker_open_us;  /* first time it stays open; doubles up to 8 times that */
    /* Back-off, each 0 for the default: first and longest pause after quick failures, first after
     * an answer that the far end remembers. */
    uint64_t retry_min_us, retry_max_us, retry_slow_us;
    uint64_t longest_us; /* no pause is longer, whatever the failure; 0: no such limit */
};

enum target_answer {
    TARGET_GO,     /* connect; target_done must follow */
    TARGET_WAIT,   /* another attempt is under way, or the back-off is: see until_us */
    TARGET_REFUSE, /* the breaker is open: *err says why and when the next try is */
};

struct target_numbers {
    enum target_state state;
    enum breaker_state breaker;
    unsigned dialing;
    unsigned failures; /* in a row, of one class */
    uint64_t wakes;
    uint64_t next_try_us; /* 0: now */
    struct error last_error;
};

/* Copies host. */
struct target *target_new(const char *host, uint16_t port, const struct target_limits *limits);
void target_free(struct target **t);

/* A reload. */
void target_set_limits(struct target *t, const struct target_limits *limits);

const char *target_host(const struct target *t);
uint16_t target_port(const struct target *t);

/* A client needs a connection. WAIT: *until_us is the time to ask again, or 0: ask when an attempt
 * that is under way has ended (target_done says so). */
enum target_answer target_begin(struct target *t, uint64_t now_us, uint64_t *until_us,
                                struct error *err);
/* The attempt that target_begin allowed ended well. */
void target_succeeded(struct target *t, uint64_t now_us, bool scram);
/* ... or not: `tell` is what clients are told. `jitter` is any random number. */
void target_failed(struct target *t, uint64_t now_us, enum failure_class class,
                   const struct error *tell, uint64_t jitter);
/* How long to wait by default after the n-th failure (from 1) in a row of a class: doubles up to
 * the cap of the class, with jitter over the upper half; SLOW never less than 30 s. */
uint64_t target_pause_us(enum failure_class class, unsigned failures, uint64_t jitter);
/* What a client is told while `cached` is believed for another left_us. */
void target_refusal(struct error *out, const struct error *cached, uint64_t left_us);
/* The attempt was given up by us: says nothing about the far end. */
void target_abandoned(struct target *t);
/* The far end closed an idle server: not a failure. */
void target_slept(struct target *t);

/* A SCRAM log-in succeeded in this process: startup and first SASL message may travel together. */
bool target_scram_seen(const struct target *t);

void target_inspect(struct target *t, struct target_numbers *out);
const char *target_state_name(enum target_state s);
const char *breaker_state_name(enum breaker_state state);

#endif
