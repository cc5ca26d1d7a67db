/* SPDX-License-Identifier: PostgreSQL */
/* fake_listener.c - nothing listens in a replay: clients come by themselves. */
#include "net/listener.h"

size_t listeners_count(const struct listeners *ls)
{
    (void)ls;
    return 0;
}

const struct addr *listeners_addr(const struct listeners *ls, size_t i)
{
    (void)ls;
    (void)i;
    return NULL;
}

int listeners_fd(const struct listeners *ls, size_t i)
{
    (void)ls;
    (void)i;
    return -1;
}

void listeners_pause(struct listeners *ls)
{
    (void)ls;
}

void listeners_resume(struct listeners *ls)
{
    (void)ls;
}
