/* SPDX-License-Identifier: PostgreSQL */
/* fake_tls.c - there is no TLS in a replay; a script that configures it is told so. */
#include "net/tls_context.h"
#include "net/tls_selfsigned.h"

#include <stddef.h>

static void *not_available(struct error *err)
{
    error_set(err, "", "TLS is not available");
    return NULL;
}

struct tls_trust *tls_trust_new_file(const char *path, struct error *err)
{
    (void)path;
    return not_available(err);
}

struct tls_trust *tls_trust_new_system(struct error *err)
{
    return not_available(err);
}

void tls_trust_unref(struct tls_trust **t)
{
    *t = NULL;
}

struct tls_context *tls_context_new_server(const struct tls_server_options *o, struct error *err)
{
    (void)o;
    return not_available(err);
}

struct tls_context *tls_context_new_client(const struct tls_client_options *o, struct error *err)
{
    (void)o;
    return not_available(err);
}

struct tls_context *tls_context_ref(struct tls_context *c)
{
    return c;
}

void tls_context_unref(struct tls_context **c)
{
    *c = NULL;
}

bool tls_selfsigned_make(struct tls_selfsigned *out, const char *state_dir,
                         const char *const *hosts, size_t n_hosts, bool *kept_out,
                         struct error *err)
{
    (void)state_dir;
    (void)hosts;
    (void)n_hosts;
    *out = (struct tls_selfsigned){0};
    *kept_out = false;
    return not_available(err);
}

void tls_selfsigned_fini(struct tls_selfsigned *c)
{
    *c = (struct tls_selfsigned){0};
}
