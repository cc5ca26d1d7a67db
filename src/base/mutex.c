/* SPDX-License-Identifier: PostgreSQL */
/* mutex.c - where a mutex is waited for. */
#include "base/mutex.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Who has slept, or is about to, takes it as AWAITED: there may be others that sleep still. */
void mutex_wait(struct mutex *m)
{
    while (atomic_exchange_explicit(&m->word, MUTEX_AWAITED, memory_order_acquire) != MUTEX_FREE) {
        /* EAGAIN: it was given back meanwhile; EINTR: a signal. Anything else is a bug. */
        if (syscall(SYS_futex, &m->word, FUTEX_WAIT_PRIVATE, MUTEX_AWAITED, NULL, NULL, 0) != 0 &&
            errno != EAGAIN && errno != EINTR)
            abort();
    }
}

void mutex_wake(struct mutex *m)
{
    if (syscall(SYS_futex, &m->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) < 0)
        abort();
}

void mutex_fini(struct mutex *m)
{
    if (atomic_load_explicit(&m->word, memory_order_relaxed) != MUTEX_FREE)
        abort();
}
