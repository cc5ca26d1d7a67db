/* SPDX-License-Identifier: PostgreSQL */
/* control.c - what the operator has ordered for databases. */
#include "relay/control.h"

#include "base/mem.h"
#include "base/mutex.h"
#include "pool/pool.h"

#include <stdlib.h>
#include <uthash.h>

/* A database that something was ordered for; the empty name stands for all. */
struct ordered {
    char *database;
    bool flags[CONTROL_FLAGS];
    UT_hash_handle hh;
};

/* An operator's client that is to stop waiting. */
struct canceled {
    uint64_t client_id;
    UT_hash_handle hh;
};

struct control {
    /* Set before threads start. */
    void (*on_shutdown)(void *owner, enum shutdown_mode mode);
    void *owner;

    struct mutex m;
    struct ordered *databases;
    struct canceled *canceled; /* by client_id */
    bool ending;
};

struct control *control_new(void)
{
    struct control *c = xcalloc(1, sizeof *c);
    mutex_init(&c->m);
    return c;
}

static void drop_cancel(struct control *c, struct canceled *n)
{
    HASH_DEL(c->canceled, n);
    free(n);
}

void control_free(struct control **cp)
{
    struct control *c = *cp;
    struct ordered *o, *next;
    if (!c)
        return;
    while (c->canceled)
        drop_cancel(c, c->canceled);
    HASH_ITER(hh, c->databases, o, next)
    {
        HASH_DEL(c->databases, o);
        free(o->database);
        free(o);
    }
    mutex_fini(&c->m);
    free(c);
    *cp = NULL;
}

void control_enter(struct control *c)
{
    mutex_lock(&c->m);
}

void control_leave(struct control *c)
{
    mutex_unlock(&c->m);
}

bool control_has(const struct control *c, const char *database, enum control_flag flag)
{
    struct ordered *o;
    HASH_FIND_STR(c->databases, database ? database : "", o);
    return o && o->flags[flag];
}

void control_set(struct control *c, const char *database, enum control_flag flag, bool on)
{
    struct ordered *o;
    const char *name = database ? database : "";
    HASH_FIND_STR(c->databases, name, o);
    if (!o) {
        o = xcalloc(1, sizeof *o);
        o->database = xstrdup(name);
        HASH_ADD_KEYPTR(hh, c->databases, o->database, strlen(o->database), o);
    }
    o->flags[flag] = on;
}

static bool has_any(const struct ordered *o)
{
    for (int flag = 0; flag < CONTROL_FLAGS; flag++) {
        if (o->flags[flag])
            return true;
    }
    return false;
}

void control_each(struct control *c, void (*fn)(struct control *c, const char *database, void *arg),
                  void *arg)
{
    for (struct ordered *o = c->databases; o; o = o->hh.next) {
        if (o->database[0] && has_any(o))
            fn(c, o->database, arg);
    }
}

bool control_is_paused(const struct control *c, const char *database)
{
    return control_has(c, NULL, CONTROL_PAUSED) || control_has(c, database, CONTROL_PAUSED);
}

void control_note_cancel(struct control *c, uint64_t client_id)
{
    struct canceled *n, *fresh = xcalloc(1, sizeof *fresh);
    fresh->client_id = client_id;
    mutex_lock(&c->m);
    HASH_FIND(hh, c->canceled, &client_id, sizeof client_id, n);
    if (!n)
        HASH_ADD(hh, c->canceled, client_id, sizeof client_id, fresh);
    mutex_unlock(&c->m);
    if (n)
        free(fresh);
}

bool control_take_cancel(struct control *c, uint64_t client_id)
{
    struct canceled *n;
    mutex_lock(&c->m);
    HASH_FIND(hh, c->canceled, &client_id, sizeof client_id, n);
    if (n)
        drop_cancel(c, n);
    mutex_unlock(&c->m);
    return n != NULL;
}

void control_on_shutdown(struct control *c, void (*fn)(void *owner, enum shutdown_mode mode),
                         void *owner)
{
    c->on_shutdown = fn;
    c->owner = owner;
}

void control_begin_end(struct control *c)
{
    mutex_lock(&c->m);
    c->ending = true;
    mutex_unlock(&c->m);
}

void control_ask_shutdown(struct control *c, enum shutdown_mode mode)
{
    control_begin_end(c);
    c->on_shutdown(c->owner, mode);
}

bool control_is_ending(const struct control *c)
{
    return c->ending;
}

bool control_login(struct control *c, struct pool *p, struct error *err)
{
    const char *database = pool_database(p);
    mutex_lock(&c->m);
    bool disabled = control_has(c, database, CONTROL_DISABLED);
    /* Servers it may have are those it had when the order came, which has dealt with them. */
    if (control_is_paused(c, database))
        (void)pool_pause(p, POOL_PAUSE_CLOSE);
    else if (control_has(c, NULL, CONTROL_SUSPENDED))
        (void)pool_pause(p, POOL_PAUSE_KEEP);
    mutex_unlock(&c->m);
    if (disabled)
        return error_set(err, SQLSTATE_CANNOT_CONNECT_NOW, "database \"%s\" is disabled", database);
    return true;
}
