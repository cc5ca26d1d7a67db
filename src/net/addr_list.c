/* SPDX-License-Identifier: PostgreSQL */
/* addr_list.c - the addresses of a host. */
#include "net/addr_list.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct addr_list *addr_list_new(const struct addr *addrs, size_t n)
{
    struct addr_list *l = xmalloc(sizeof *l + n * sizeof l->each[0]);
    atomic_init(&l->refs, 1);
    l->n = n;
    memcpy(l->each, addrs, n * sizeof l->each[0]);
    return l;
}

struct addr_list *addr_list_from_literal(const char *text, uint16_t port)
{
    struct addr a;
    bool ok = text[0] == '/' || text[0] == '@' ? addr_from_path(&a, text)
                                               : addr_from_literal(&a, text, port);
    return ok ? addr_list_new(&a, 1) : NULL;
}

struct addr_list *addr_list_ref(struct addr_list *l)
{
    atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
    return l;
}

void addr_list_unref(struct addr_list **lp)
{
    struct addr_list *l = *lp;
    *lp = NULL;
    if (l && atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) == 1)
        free(l);
}

bool addr_list_has(const struct addr_list *l, const struct addr *a)
{
    for (size_t i = 0; i < l->n; i++) {
        if (addr_equal(&l->each[i], a))
            return true;
    }
    return false;
}
