/* SPDX-License-Identifier: PostgreSQL */
/* resolver_zone.c - look at the serial numbers of zones: when one grows, its names are asked for
 * again.
 *
 * So a change in DNS is noticed although nobody connects. As in PgBouncer the zone is what stands
 * behind the first dot of a name. */
#include "base/clock.h"
#include "net/addr_list.h"
#include "net/resolver_impl.h"

#include <arpa/nameser.h>
#include <stdlib.h>
#include <string.h>

struct zone {
    UT_hash_handle hh;
    struct resolver *resolver;
    bool is_asked;
    bool has_serial;
    uint32_t serial;
    char text[];
};

static const char *zone_of(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot && dot[1] ? dot + 1 : NULL;
}

void resolver_zone_note(struct resolver *r, const char *name)
{
    const char *text = zone_of(name);
    struct zone *z = NULL;
    if (!r->times.zone_check_us || !text)
        return;
    HASH_FIND_STR(r->shared.zones, text, z);
    if (z)
        return;
    size_t len = strlen(text) + 1;
    z = xcalloc(1, sizeof *z + len);
    z->resolver = r;
    memcpy(z->text, text, len);
    mutex_lock(&r->shared.m);
    HASH_ADD_KEYPTR(hh, r->shared.zones, z->text, len - 1, z);
    mutex_unlock(&r->shared.m);
}

static bool is_in(const struct name *n, const struct zone *z)
{
    const char *text = zone_of(n->text);
    return text && strcmp(text, z->text) == 0;
}

/* ---- looking --------------------------------------------------------------------------- */

static void ask_again(struct zone *z)
{
    struct name *n, *next;
    HASH_ITER(hh, z->resolver->shared.names, n, next)
    {
        if (!n->is_searched && is_in(n, z))
            resolver_search(z->resolver, n);
    }
}

/* Serial numbers go round (RFC 1982). */
static bool has_grown(uint32_t before, uint32_t now)
{
    return (int32_t)(now - before) > 0;
}

static void on_soa(void *arg, int status, int timeouts, unsigned char *reply, int len)
{
    struct zone *z = arg;
    struct ares_soa_reply *soa = NULL;
    (void)timeouts;
    resolver_end_query(z->resolver);
    z->is_asked = false;
    if (status != ARES_SUCCESS || ares_parse_soa_reply(reply, len, &soa) != ARES_SUCCESS)
        return; /* the names are asked for when their time is over, as ever */
    uint32_t serial = soa->serial;
    bool grown = z->has_serial && has_grown(z->serial, serial);
    ares_free_data(soa);
    mutex_lock(&z->resolver->shared.m);
    z->serial = serial;
    z->has_serial = true;
    mutex_unlock(&z->resolver->shared.m);
    if (grown)
        ask_again(z);
}

static void check_zones(void *arg)
{
    struct resolver *r = arg;
    struct zone *z, *next;
    HASH_ITER(hh, r->shared.zones, z, next)
    {
        if (z->is_asked || !resolver_begin_query(r))
            continue;
        z->is_asked = true;
        ares_query(r->channel, z->text, ns_c_in, ns_t_soa, on_soa, z);
    }
    resolver_set_timer(r);
    timer_set(&r->zone_timer, loop_now(r->loop) + r->times.zone_check_us);
}

/* ---- life ------------------------------------------------------------------------------ */

void resolver_zones_init(struct resolver *r)
{
    timer_init(&r->zone_timer, r->loop, check_zones, r);
    resolver_zones_start(r);
}

void resolver_zones_start(struct resolver *r)
{
    timer_clear(&r->zone_timer);
    if (!r->times.zone_check_us)
        return;
    for (const struct name *n = r->shared.names; n; n = n->hh.next)
        resolver_zone_note(r, n->text);
    timer_set(&r->zone_timer, loop_now(r->loop) + r->times.zone_check_us);
}

void resolver_zones_fini(struct resolver *r)
{
    struct zone *z, *next;
    timer_fini(&r->zone_timer);
    HASH_ITER(hh, r->shared.zones, z, next)
    {
        HASH_DEL(r->shared.zones, z);
        free(z);
    }
}

void resolver_each_zone(struct resolver *r, void (*fn)(const struct resolver_zone *row, void *arg),
                        void *arg)
{
    mutex_lock(&r->shared.m);
    for (const struct zone *z = r->shared.zones; z; z = z->hh.next) {
        struct resolver_zone row = {.name = z->text, .serial = z->serial};
        for (const struct name *n = r->shared.names; n; n = n->hh.next)
            row.n_names += is_in(n, z);
        fn(&row, arg);
    }
    mutex_unlock(&r->shared.m);
}
