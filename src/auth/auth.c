/* SPDX-License-Identifier: PostgreSQL */
/* auth.c - start-up of the authentication folder. */
#include "auth/auth.h"

#include "auth/digest.h"
#include "auth/scram.h"

static bool initialised;

bool auth_init(struct error *err)
{
    if (initialised)
        return true;
    if (!digest_init(err))
        return false;
    scram_init();
    initialised = true;
    return true;
}

void auth_fini(void)
{
    digest_fini();
    initialised = false;
}
