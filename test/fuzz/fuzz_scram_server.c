/* SPDX-License-Identifier: PostgreSQL */
/* fuzz_scram_server: our side of SCRAM against a hostile client.
 *
 * Input: three lines: options ('p': PLUS is offered, 'm': the client chooses PLUS, 'd': doomed),
 * the client-first-message, the client-final-message (which may contain line ends). Our nonce and
 * the verifier are those of RFC 7677, so that the corpus can hold a right proof. */
#include <stdlib.h>

#include "auth/auth.h"
#include "auth/base64.h"
#include "auth/scram_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct scram_verifier *rfc_verifier(void)
{
    static struct scram_verifier v;
    struct scram_keys keys;
    size_t n;
    if (v.iterations)
        return &v;
    if (!auth_init(NULL) ||
        !base64_decode(span_str("W22ZaJ0SNY7soEsUEjb6gQ=="), v.salt, sizeof v.salt, &n) ||
        !scram_derive(span_str("pencil"), span_of(v.salt, n), 4096, &keys, NULL))
        abort();
    v.salt_len = (uint16_t)n;
    v.iterations = 4096;
    memcpy(v.stored_key, keys.stored_key, SCRAM_KEY_LEN);
    memcpy(v.server_key, keys.server_key, SCRAM_KEY_LEN);
    return &v;
}

static struct span take_line(struct span *rest)
{
    const uint8_t *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    struct span line = end ? span_of(rest->p, (size_t)(end - rest->p)) : *rest;
    *rest = end ? span_of(end + 1, rest->n - line.n - 1) : span_of(rest->p, 0);
    return line;
}

static bool has(struct span options, char letter)
{
    return options.n && memchr(options.p, letter, options.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t hash[32] = {1, 2, 3};
    struct span rest = span_of(data, size);
    struct span options = take_line(&rest), first = take_line(&rest);
    bool plus = has(options, 'p'), doomed = has(options, 'd');
    struct scram_server s;
    struct buf out = {0};
    struct error err = {0};

    scram_server_init(&s, rfc_verifier(), doomed, plus ? SCRAM_OFFER_PLUS : SCRAM_OFFER_PLAIN,
                      plus ? span_of(hash, sizeof hash) : span_of(NULL, 0));
    strcpy(s.nonce, "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
    struct span mechanism = span_str(has(options, 'm') ? SCRAM_NAME_PLUS : SCRAM_NAME_PLAIN);
    enum scram_result r = scram_server_first(&s, mechanism, first, &out, &err);
    if (r == SCRAM_OK)
        r = scram_server_final(&s, rest, &out, &err);
    if ((r == SCRAM_OK) != (scram_server_keys(&s) != NULL) || (r == SCRAM_OK && doomed) ||
        (r != SCRAM_OK && err.text[0] == '\0'))
        abort();
    scram_server_fini(&s);
    buf_reset(&out);
    return 0;
}
