/* SPDX-License-Identifier: PostgreSQL */
/* mutex.h - a mutex whose failures are bugs. Under it: arithmetic and list surgery only. */
#ifndef BASE_MUTEX_H
#define BASE_MUTEX_H

#include <pthread.h>
#include <stdlib.h>

struct mutex {
    pthread_mutex_t m;
};

static inline void mutex_init(struct mutex *m)
{
    if (pthread_mutex_init(&m->m, NULL) != 0)
        abort();
}

static inline void mutex_fini(struct mutex *m)
{
    if (pthread_mutex_destroy(&m->m) != 0)
        abort();
}

static inline void mutex_lock(struct mutex *m)
{
    if (pthread_mutex_lock(&m->m) != 0)
        abort();
}

static inline void mutex_unlock(struct mutex *m)
{
    if (pthread_mutex_unlock(&m->m) != 0)
        abort();
}

#endif
