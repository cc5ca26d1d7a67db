/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_env.c - any bytes as a .env file, and what its variables do to the settings. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf_env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool no_file(const char *path, struct buf *out, struct error *err)
{
    (void)path;
    (void)out;
    return error_set(err, "", "there are no files");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_env *env = conf_env_new(NULL);
    struct config *cfg = config_new(CONFIG_URL);
    struct config_sink sink = {0};
    struct error err;
    char *secret = NULL;
    const char *origin;
    bool ok = conf_env_parse(env, span_of(data, size), ".env", &sink);
    if (ok != (sink.n_errors == 0))
        abort();
    conf_env_apply(env, cfg, &sink);
    if (conf_env_secret(env, "DATABASE_URL", no_file, &secret, &origin, &err))
        secret_free(&secret);
    config_free(&cfg);
    conf_env_free(&env);
    return 0;
}
