/* SPDX-License-Identifier: PostgreSQL */
/*
 * guard: a copy of some bytes that ends exactly where an unreadable page begins.
 *
 * A parser that reads one byte past its input dies on the spot, in every build, not only under a
 * sanitizer. Header only, so that a test needs nothing but the include.
 */
#ifndef PGB_TEST_GUARD_H
#define PGB_TEST_GUARD_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static inline size_t guard_page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* The readable pages needed for `size` bytes; at least one, so that a copy of nothing has an
 * address. */
static inline size_t guard_readable_bytes(size_t size)
{
    size_t page = guard_page_bytes();

    return size == 0 ? page : (size + page - 1) / page * page;
}

/*
 * Returns owned memory of exactly `size` bytes, writable, to be given back to guard_free with the
 * same size. Ends the test program if the system has no memory. `bytes` may be NULL if size is 0.
 */
static inline uint8_t *guard_copy(const void *bytes, size_t size)
{
    size_t readable = guard_readable_bytes(size);
    uint8_t *base = mmap(NULL, readable + guard_page_bytes(), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (base == MAP_FAILED || mprotect(base + readable, guard_page_bytes(), PROT_NONE) != 0)
        abort();
    if (size > 0)
        memcpy(base + readable - size, bytes, size);
    return base + readable - size;
}

static inline void guard_free(uint8_t *copy, size_t size)
{
    size_t readable = guard_readable_bytes(size);

    munmap(copy + size - readable, readable + guard_page_bytes());
}

#endif
