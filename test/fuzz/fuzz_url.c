/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_url.c - any text as a connection string: parse it, write it as a URI with everything
 * percent-encoded, parse that, and get the same; then let it configure the program. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf_url.h"
#include "conf/url_profile.h"
#include "conf/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool no_file(const char *path, struct buf *out, struct error *err)
{
    (void)path;
    (void)out;
    return error_set(err, "", "there are no files");
}

/* Owned: the same parameters, every byte encoded. */
static char *as_uri(const struct conf_url *url)
{
    struct buf out = {0};
    buf_append(&out, "postgresql://?", 14);
    for (size_t i = 0; i < URL_PARAM_COUNT; i++) {
        if (!url->value[i])
            continue;
        const char *name = conf_url_param_name((enum url_param)i);
        buf_append(&out, name, strlen(name));
        buf_append(&out, "=", 1);
        for (const char *p = url->value[i]; *p; p++) {
            char escaped[4];
            snprintf(escaped, sizeof escaped, "%%%02X", (unsigned char)*p);
            buf_append(&out, escaped, 3);
        }
        buf_append(&out, "&", 1);
    }
    char *text = xstrndup(buf_span(&out).p, buf_len(&out));
    text[buf_len(&out) - 1] = text[buf_len(&out) - 1] == '&' ? '\0' : '?';
    buf_reset(&out);
    return text;
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void check_round_trip(const char *text)
{
    struct conf_url url, again;
    struct error err;
    if (!conf_url_parse(&url, text, &err)) {
        if (err.text[0] == '\0')
            abort();
        return;
    }
    char *uri = as_uri(&url);
    if (!conf_url_parse(&again, uri, &err))
        abort();
    for (size_t i = 0; i < URL_PARAM_COUNT; i++)
        if (!same(url.value[i], again.value[i]))
            abort();
    struct config_database *db = config_database_new("x", "y");
    if (conf_url_hosts(&url, "/sock", db, &err) && db->n_hosts == 0)
        abort();
    config_database_free(&db);
    conf_url_fini(&again);
    conf_url_fini(&url);
    free(uri);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = xstrndup(data, size);
    struct conf_env *env = conf_env_new(NULL);
    struct config *cfg = config_new(CONFIG_URL);
    struct config_sink sink = {0};
    check_round_trip(text);
    bool ok = url_profile_apply(cfg, text, env, no_file, &sink);
    if (ok != (sink.n_errors == 0) || (ok && !cfg->fallback))
        abort();
    if (ok && config_validate(cfg, &sink) != (sink.n_errors == 0))
        abort();
    config_free(&cfg);
    conf_env_free(&env);
    free(text);
    return 0;
}
