/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_ini.c - any bytes as a configuration file. Files that it includes are itself, which is
 * bounded by depth and number. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_ini.h"
#include "conf/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct span input;

static bool read_input(const char *path, struct buf *out, struct error *err)
{
    if (strcmp(path, "missing") == 0)
        return error_set(err, "", "cannot open \"missing\"");
    buf_append(out, input.p, input.n);
    return true;
}

/* What was accepted must print, and read back to what prints the same. */
static void check_round_trip(const struct config *cfg)
{
    struct config *again = config_new(CONFIG_INI);
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        const struct setting *s = setting_at(id);
        char *text = setting_text(s, cfg);
        if (!setting_store(s, again, text, NULL))
            abort();
        char *text_again = setting_text(s, again);
        if (strcmp(text, text_again) != 0)
            abort();
        free(text);
        free(text_again);
    }
    config_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *cfg = config_new(CONFIG_INI);
    struct config_sink sink = {0};
    input = span_of(data, size);
    if (size > 4096) /* a thousand inclusions of it are read */
        input.n = 4096;
    bool ok = conf_ini_read(cfg, "main", read_input, &sink);
    if (ok != (sink.n_errors == 0))
        abort();
    if (ok && config_validate(cfg, &sink))
        check_round_trip(cfg);
    config_free(&cfg);
    return 0;
}
