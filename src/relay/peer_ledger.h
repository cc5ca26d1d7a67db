/* SPDX-License-Identifier: PostgreSQL */
/* peer_ledger.h - how many cancel requests are on their way to each peer, and who waits to send
 * one.
 *
 * One for the process, under its own mutex. A request belongs to one worker; a place that becomes
 * free is given to the oldest one in the queue, whose worker must then be told. */
#ifndef RELAY_PEER_LEDGER_H
#define RELAY_PEER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct peer_count;
struct peer_ledger;

/* The process whose place we took is like a peer that the configuration does not know. */
#define PEER_PREDECESSOR 0

enum peer_stage {
    PEER_OUT, /* not in the ledger */
    PEER_QUEUED,
    PEER_CONNECTING,
    PEER_SENT,
};

/* Embedded in the request. Id and worker are set by its owner, the rest is the ledger's. */
struct peer_place {
    uint64_t id;
    int worker;
    enum peer_stage stage;
    struct peer_count *peer;
    TAILQ_ENTRY(peer_place) link; /* queued */
};

struct peer_numbers {
    int peer;
    int64_t queued, connecting, sent;
};

struct peer_ledger *peer_ledger_new(void);
/* All places must have left. */
void peer_ledger_free(struct peer_ledger **l);

/* The stage that it enters. `limit` is how many may be under way to the peer (0: any number), of
 * which it takes note; OUT: max_queue (0: none) are waiting already. */
enum peer_stage peer_ledger_enter(struct peer_ledger *l, struct peer_place *p, int peer,
                                  unsigned limit, unsigned max_queue);
/* Any thread: the stage of a place of its own worker may have changed from QUEUED to CONNECTING. */
enum peer_stage peer_ledger_stage(struct peer_ledger *l, const struct peer_place *p);
void peer_ledger_sent(struct peer_ledger *l, struct peer_place *p);
void peer_ledger_leave(struct peer_ledger *l, struct peer_place *p);
/* Gives a free place to one that waits, and says whose it is; to be called until it says false. */
bool peer_ledger_serve(struct peer_ledger *l, uint64_t *id_out, int *worker_out);

/* After a reload: limit_of gives the limit of each peer, or false if it is gone. Those who wait for
 * one that is gone are all served, to find that out. */
void peer_ledger_follow(struct peer_ledger *l, bool (*limit_of)(int peer, unsigned *out, void *arg),
                        void *arg);

/* Peers that something was sent to, in the order of their numbers. fn may not call the ledger. */
void peer_ledger_each(struct peer_ledger *l, void (*fn)(const struct peer_numbers *n, void *arg),
                      void *arg);

#endif
