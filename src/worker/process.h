/* SPDX-License-Identifier: PostgreSQL */
/* process.h - what concerns the program as a whole is asked of the main thread: a reload, also one
 * with a setting of the operator's on top.
 *
 * Questions come from the console, in a worker's thread; answers go back to that worker and find
 * the client by its id. (How the program is asked to stop: relay/control.h.) */
#ifndef WORKER_PROCESS_H
#define WORKER_PROCESS_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct client;
struct loop;
struct process;
struct process_reload;
struct relay;

/* Runs in the main thread. */
struct process_ops {
    /* Takes the request; process_answer ends it, now or later. */
    void (*on_reload)(void *owner, struct process_reload *request);
};

/* Main thread. */
struct process *process_new(struct loop *l, const struct process_ops *ops, void *owner);
/* When no other thread runs any more. What is still asked then is answered as if its client had
 * left. */
void process_free(struct process **p);
/* Takes the request. *err is copied. If `ok` is true it may be NULL, or say what the operator
 * should know all the same. */
void process_answer(struct process_reload *request, bool ok, const struct error *err);

/* The setting that the request is about; false: it is about what the files say, and settings of
 * earlier requests count no more. Borrowed from the request. */
bool process_setting(const struct process_reload *request, const char **name_out,
                     const char **value_out);
/* Takes the request, which will not be answered: the program ends. No other thread runs any more.
 */
void process_drop(struct process_reload *request);

/* Asks for a reload from the thread of `home`; done is called there, once, never before this
 * returns. c is the client of that id, or NULL if it has left or the program ends. done owns arg.
 * If `ok` is false nothing has changed, *err says why in one sentence, and the log has all of it.
 * If it is true and err->text is not empty, it is a remark. */
void process_reload(struct relay *home, uint64_t client_id,
                    void (*done)(struct client *c, bool ok, const struct error *err, void *arg),
                    void *arg);
/* The same with one setting on top of everything, until the next reload without. */
void process_set(struct relay *home, uint64_t client_id, const char *name, const char *value,
                 void (*done)(struct client *c, bool ok, const struct error *err, void *arg),
                 void *arg);

#endif
