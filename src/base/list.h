/* SPDX-License-Identifier: PostgreSQL */
/* list.h - sys/queue.h plus the loops that glibc's lacks, and container_of. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stddef.h>
#include <sys/queue.h>

#ifndef TAILQ_FOREACH_SAFE
#define TAILQ_FOREACH_SAFE(var, head, field, next)                                                 \
    for ((var) = TAILQ_FIRST(head); (var) && ((next) = TAILQ_NEXT(var, field), 1); (var) = (next))
#endif

#ifndef container_of
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#endif

#endif
