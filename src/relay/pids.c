/* SPDX-License-Identifier: PostgreSQL */
/* pids.c - the process numbers that clients were told, by those of the servers they use. */
#include "relay/pids.h"

#include "base/mem.h"
#include "base/mutex.h"
#include "proto/frame.h"

#include <stdbool.h>
#include <stdlib.h>
#include <uthash.h>

/* Without padding: it is hashed as bytes. */
struct pid_key {
    const struct target *target;
    uint64_t pid;
};

struct pid_entry {
    struct pids *pids;
    struct pid_key key;
    bool listed;           /* under the table's lock */
    _Atomic uint32_t told; /* 0: nobody has used it yet */
    UT_hash_handle hh;
};

struct pids {
    struct mutex m;
    struct pid_entry *entries;
};

struct pids *pids_new(void)
{
    struct pids *p = xcalloc(1, sizeof *p);
    mutex_init(&p->m);
    return p;
}

void pids_free(struct pids **pp)
{
    struct pids *p = *pp;
    if (!p)
        return;
    mutex_fini(&p->m);
    free(p);
    *pp = NULL;
}

static struct pid_entry *find_locked(struct pids *p, const struct pid_key *key)
{
    struct pid_entry *e;
    HASH_FIND(hh, p->entries, key, sizeof *key, e);
    return e;
}

struct pid_entry *pids_add(struct pids *p, const struct target *target, uint32_t pid)
{
    if (!pid)
        return NULL;
    struct pid_entry *e = xcalloc(1, sizeof *e);
    e->pids = p;
    e->key = (struct pid_key){.target = target, .pid = pid};
    mutex_lock(&p->m);
    /* A number that another host behind the same name uses too: the newest one has it. */
    struct pid_entry *old = find_locked(p, &e->key);
    if (old) {
        HASH_DEL(p->entries, old);
        old->listed = false;
    }
    e->listed = true;
    HASH_ADD(hh, p->entries, key, sizeof e->key, e);
    mutex_unlock(&p->m);
    return e;
}

void pids_remove(struct pid_entry **ep)
{
    struct pid_entry *e = *ep;
    *ep = NULL;
    if (!e)
        return;
    mutex_lock(&e->pids->m);
    if (e->listed)
        HASH_DEL(e->pids->entries, e);
    mutex_unlock(&e->pids->m);
    free(e);
}

void pids_note_client(struct pid_entry *e, const uint8_t key[4])
{
    if (e)
        atomic_store_explicit(&e->told, frame_u32(key), memory_order_relaxed);
}

uint32_t pids_told(struct pids *p, const struct target *target, uint32_t pid)
{
    const struct pid_key key = {.target = target, .pid = pid};
    mutex_lock(&p->m);
    struct pid_entry *e = find_locked(p, &key);
    uint32_t told = e ? atomic_load_explicit(&e->told, memory_order_relaxed) : 0;
    mutex_unlock(&p->m);
    return told ? told : pid;
}
