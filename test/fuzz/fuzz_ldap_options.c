/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_ldap_options: the first line is the options' text, the rest a user's name. Whatever they
 * are, the name adds no character of its own that means something in a filter. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/ldap_options.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(const char *text, char c)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == c;
    return n;
}

static void use(const struct ldap_options *o, const char *user)
{
    char *dn = ldap_options_dn(o, user);
    if (!o->basedn) {
        free(dn);
        return;
    }
    char *with = ldap_options_filter(o, user), *without = ldap_options_filter(o, "");
    if (count(with, '(') != count(without, '(') || count(with, ')') != count(without, ')') ||
        count(with, '*') != count(without, '*'))
        abort();
    free(with);
    free(without);
    free(dn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ldap_options o;
    struct error err;
    char *text = xstrndup(data, size);
    char *user = strchr(text, '\n');
    if (user)
        *user++ = '\0';
    if (ldap_options_parse(text, &o, &err)) {
        use(&o, user ? user : "joe");
        ldap_options_fini(&o);
    } else if (!err.text[0]) {
        abort();
    }
    free(text);
    return 0;
}
