/* SPDX-License-Identifier: PostgreSQL */
/* mem.h - allocation that cannot fail. For sizes that we choose: when memory is gone the
 * program ends with a message. Sizes that a peer chooses are bounded by the caller first. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* All return owned memory, released with free(). xcalloc zeroes it. */
void *xmalloc(size_t size) __attribute__((malloc, warn_unused_result));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, warn_unused_result));
void *xrealloc(void *p, size_t size) __attribute__((warn_unused_result));
char *xstrdup(const char *s) __attribute__((malloc, warn_unused_result));
/* Copies n bytes and appends a NUL. */
char *xstrndup(const void *p, size_t n) __attribute__((malloc, warn_unused_result));
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2), warn_unused_result));

/* Overwrites memory in a way the compiler may not drop; for secrets. */
void mem_wipe(void *p, size_t n);
/* Wipes a NUL-terminated secret, frees it and clears the pointer. NULL is fine. */
void secret_free(char **s);

#endif
