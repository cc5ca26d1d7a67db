/* SPDX-License-Identifier: PostgreSQL */
/* process.c - messages to the main thread and back. */
#include "worker/process.h"

#include "base/mem.h"
#include "relay/relay.h"

#include <stdlib.h>

struct process {
    struct mailbox mailbox;
    const struct process_ops *ops;
    void *owner;
};

struct process *process_new(struct loop *l, const struct process_ops *ops, void *owner)
{
    struct process *p = xcalloc(1, sizeof *p);
    p->ops = ops;
    p->owner = owner;
    mailbox_init(&p->mailbox, l, p);
    return p;
}

void process_free(struct process **p)
{
    if (!*p)
        return;
    mailbox_fini(&(*p)->mailbox);
    free(*p);
    *p = NULL;
}

/* ---- reload ---------------------------------------------------------------------------- */

struct process_reload {
    struct message message; /* there, then back */
    struct relay *home;
    uint64_t client_id;
    void (*done)(struct client *c, bool ok, const struct error *err, void *arg);
    void *arg;
    char *name, *value; /* owned; NULL: a reload */

    /* The answer. */
    bool ok;
    struct error err;
};

static void deliver_answer(struct message *m, void *receiver)
{
    struct process_reload *q = container_of(m, struct process_reload, message);
    struct client *c = receiver ? relay_find_client(receiver, q->client_id) : NULL;
    q->done(c, q->ok, &q->err, q->arg);
    free(q->name);
    free(q->value);
    free(q);
}

void process_answer(struct process_reload *request, bool ok, const struct error *err)
{
    request->ok = ok;
    request->err = err ? *err : (struct error){.text = ""};
    request->message.deliver = deliver_answer;
    mailbox_post(relay_mailbox(request->home), &request->message);
}

void process_drop(struct process_reload *request)
{
    deliver_answer(&request->message, NULL);
}

static void deliver_question(struct message *m, void *receiver)
{
    struct process_reload *q = container_of(m, struct process_reload, message);
    struct process *p = receiver;
    if (p)
        p->ops->on_reload(p->owner, q);
    else
        deliver_answer(m, NULL);
}

bool process_setting(const struct process_reload *request, const char **name_out,
                     const char **value_out)
{
    *name_out = request->name;
    *value_out = request->value;
    return request->name != NULL;
}

/* Takes name and value. */
static void ask(struct relay *home, uint64_t client_id, char *name, char *value,
                void (*done)(struct client *c, bool ok, const struct error *err, void *arg),
                void *arg)
{
    struct process_reload *q = xcalloc(1, sizeof *q);
    q->name = name;
    q->value = value;
    q->message.deliver = deliver_question;
    q->home = home;
    q->client_id = client_id;
    q->done = done;
    q->arg = arg;
    error_set(&q->err, SQLSTATE_ADMIN_SHUTDOWN, "pooler is shutting down");
    mailbox_post(&relay_shared_of(home)->process->mailbox, &q->message);
}

void process_reload(struct relay *home, uint64_t client_id,
                    void (*done)(struct client *c, bool ok, const struct error *err, void *arg),
                    void *arg)
{
    ask(home, client_id, NULL, NULL, done, arg);
}

void process_set(struct relay *home, uint64_t client_id, const char *name, const char *value,
                 void (*done)(struct client *c, bool ok, const struct error *err, void *arg),
                 void *arg)
{
    ask(home, client_id, xstrdup(name), xstrdup(value), done, arg);
}
