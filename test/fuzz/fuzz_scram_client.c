/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_scram_client: our side of SCRAM against a hostile server.
 *
 * Input: the list of mechanisms with '|' for NUL (of odd length: channel binding is possible), a
 * line end, the server-first-message, a line end, the server-final-message. Our nonce and the keys
 * are those of RFC 7677, so that the corpus can hold right signatures. */
#include <stdlib.h>

#include "auth/auth.h"
#include "auth/base64.h"
#include "auth/scram_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct scram_keys *rfc_keys(void)
{
    static struct scram_keys keys;
    uint8_t salt[16];
    size_t n;
    if (!keys.has_client_key &&
        (!auth_init(NULL) ||
         !base64_decode(span_str("W22ZaJ0SNY7soEsUEjb6gQ=="), salt, sizeof salt, &n) ||
         !scram_derive(span_str("pencil"), span_of(salt, n), 4096, &keys, NULL)))
        abort();
    return &keys;
}

static struct span take_line(struct span *rest)
{
    const uint8_t *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    struct span line = end ? span_of(rest->p, (size_t)(end - rest->p)) : *rest;
    *rest = end ? span_of(end + 1, rest->n - line.n - 1) : span_of(rest->p, 0);
    return line;
}

static bool choose(struct span list, struct scram_choice *choice_out)
{
    uint8_t *names = malloc(list.n + 1); /* exactly as long, so that an overrun is seen */
    bool ok;
    if (!names)
        abort();
    for (size_t i = 0; i < list.n; i++)
        names[i] = list.p[i] == '|' ? '\0' : list.p[i];
    ok = scram_choose(span_of(names, list.n), list.n % 2, CHANNEL_BINDING_PREFER, choice_out, NULL);
    free(names);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t hash[32] = {1, 2, 3};
    struct span rest = span_of(data, size);
    struct span list = take_line(&rest), first = take_line(&rest);
    struct scram_choice choice = {.mechanism = SCRAM_PLAIN, .gs2_flag = 'n'};
    struct scram_client c;
    struct buf out = {0};
    struct error err = {0};

    if (!choose(list, &choice) && choice.gs2_flag != 'n')
        abort();
    const struct scram_keys *keys = rfc_keys();
    scram_client_init(&c, choice, span_of(hash, sizeof hash), SCRAM_ITERATIONS_MAX);
    strcpy(c.nonce, "rOprNGfwEbeRWgbNEkqO");
    scram_client_first(&c, &out);
    enum scram_result r = scram_client_challenge(&c, first, &err);
    if (r == SCRAM_OK) {
        if (scram_client_salt(&c).n == 0 || scram_client_iterations(&c) == 0 ||
            scram_client_iterations(&c) > SCRAM_ITERATIONS_MAX)
            abort();
        r = scram_client_final(&c, keys, &out, &err);
    }
    if (r == SCRAM_OK)
        r = scram_client_verify(&c, rest, &err);
    if ((r == SCRAM_OK) != scram_client_is_verified(&c) || (r != SCRAM_OK && err.text[0] == '\0'))
        abort();
    scram_client_fini(&c);
    buf_reset(&out);
    return 0;
}
