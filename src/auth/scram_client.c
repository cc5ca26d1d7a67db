/* SPDX-License-Identifier: PostgreSQL */
/* scram_client.c - the client's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS.
 *
 * What is resisted here: a server that knows nothing of the password (its signature is wrong), one
 * that makes us compute for minutes (iterations are bounded), and somebody in the middle who hides
 * PLUS from us (flag 'y', or channel_binding=require). A low iteration count is accepted: it
 * protects the server's table of passwords, not the exchange. */
#include "auth/scram_client.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "auth/base64.h"
#include "auth/scram_text.h"

static enum scram_result bad(struct error *err, const char *detail)
{
    error_set(err, SQLSTATE_PROTOCOL_VIOLATION, "malformed SCRAM message from the server: %s",
              detail);
    return SCRAM_BAD;
}

static enum scram_result failed(struct error *err, const char *sqlstate, const char *text)
{
    error_set(err, sqlstate, "%s", text);
    return SCRAM_FAILED;
}

/* AuthenticationSASL: names that each end in NUL, at least one; then an empty name. */
static bool read_mechanisms(struct span list, bool *has_plain, bool *has_plus)
{
    size_t at = 0;
    *has_plain = *has_plus = false;
    while (at < list.n && list.p[at] != '\0') {
        const uint8_t *end = memchr(list.p + at, '\0', list.n - at);
        if (!end)
            return false;
        struct span name = span_of(list.p + at, (size_t)(end - (list.p + at)));
        *has_plain |= span_is(name, SCRAM_NAME_PLAIN);
        *has_plus |= span_is(name, SCRAM_NAME_PLUS);
        at += name.n + 1;
    }
    return at > 0 && at + 1 == list.n;
}

bool scram_choose(struct span mechanisms, bool have_binding, enum channel_binding_policy policy,
                  struct scram_choice *choice_out, struct error *err)
{
    bool has_plain, has_plus;
    if (!read_mechanisms(mechanisms, &has_plain, &has_plus))
        return error_set(err, SQLSTATE_PROTOCOL_VIOLATION,
                         "malformed list of SASL mechanisms from the server");
    bool can_bind = have_binding && policy != CHANNEL_BINDING_DISABLE;
    if (can_bind && has_plus) {
        *choice_out = (struct scram_choice){.mechanism = SCRAM_PLUS, .gs2_flag = 'p'};
        return true;
    }
    if (policy == CHANNEL_BINDING_REQUIRE)
        return error_set(err, SQLSTATE_INVALID_AUTHORIZATION,
                         have_binding ? "channel binding is required, but the server did not offer "
                                        "it"
                                      : "channel binding is required, but this connection has "
                                        "nothing to bind to");
    if (!has_plain)
        return error_set(err, SQLSTATE_INVALID_AUTHORIZATION,
                         "none of the server's SASL authentication mechanisms can be used");
    *choice_out = (struct scram_choice){.mechanism = SCRAM_PLAIN, .gs2_flag = can_bind ? 'y' : 'n'};
    return true;
}

void scram_client_init(struct scram_client *c, struct scram_choice choice, struct span binding,
                       uint32_t max_iterations)
{
    *c = (struct scram_client){.choice = choice, .max_iterations = max_iterations};
    /* An empty hash would bind to nothing and look as if it did. */
    if (binding.n > sizeof c->binding || (choice.gs2_flag == 'p' && binding.n == 0))
        abort();
    if (choice.gs2_flag == 'p') {
        memcpy(c->binding, binding.p, binding.n);
        c->binding_len = binding.n;
    }
    scram_nonce(c->nonce);
}

void scram_client_fini(struct scram_client *c)
{
    buf_reset(&c->auth_message);
    mem_wipe(c, sizeof *c);
}

struct span scram_client_salt(const struct scram_client *c)
{
    return span_of(c->salt, c->salt_len);
}

uint32_t scram_client_iterations(const struct scram_client *c)
{
    return c->iterations;
}

bool scram_client_is_verified(const struct scram_client *c)
{
    return c->step == SCRAM_CLIENT_VERIFIED;
}

void scram_client_first(struct scram_client *c, struct buf *out)
{
    if (c->step != SCRAM_CLIENT_START)
        abort();
    scram_text_put(&c->auth_message, "n=,r=");
    scram_text_put(&c->auth_message, c->nonce);
    scram_text_put(out, scram_gs2_header(c->choice.gs2_flag));
    buf_append(out, buf_span(&c->auth_message).p, buf_len(&c->auth_message));
    c->step = SCRAM_CLIENT_SENT_FIRST;
}

/* Ends the exchange unless r is SCRAM_OK. */
static enum scram_result advance(struct scram_client *c, enum scram_client_step next,
                                 enum scram_result r)
{
    c->step = r == SCRAM_OK ? next : SCRAM_CLIENT_OVER;
    return r;
}

/* The server's nonce is ours with something of its own behind. */
static bool is_our_nonce(const struct scram_client *c, struct span nonce)
{
    size_t n = strlen(c->nonce);
    return nonce.n > n && memcmp(nonce.p, c->nonce, n) == 0 && scram_text_is_nonce(nonce);
}

/* server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions] */
static enum scram_result read_server_first(struct scram_client *c, struct span in,
                                           struct error *err)
{
    struct span nonce, salt, iterations;
    struct scram_text t = scram_text_of(in);
    if (scram_text_is_mandatory_extension(&t))
        return bad(err, "the server requires an unknown extension");
    if (!scram_text_attr(&t, 'r', &nonce))
        return bad(err, "no nonce");
    if (!is_our_nonce(c, nonce))
        return bad(err, "the nonce does not match");
    if (!t.owes || !scram_text_attr(&t, 's', &salt))
        return bad(err, "no salt");
    if (!base64_decode(salt, c->salt, sizeof c->salt, &c->salt_len) || c->salt_len == 0)
        return bad(err, "the salt is no base64 of 1 to 1024 bytes");
    if (!t.owes || !scram_text_attr(&t, 'i', &iterations))
        return bad(err, "no iteration count");
    if (!scram_text_positive(iterations, &c->iterations))
        return bad(err, "the iteration count is no positive number");
    if (!scram_text_end(&t))
        return bad(err, "trailing bytes");
    scram_text_put(&c->auth_message, ",");
    c->nonce_start = buf_len(&c->auth_message) + (size_t)(nonce.p - in.p);
    c->nonce_len = nonce.n;
    buf_append(&c->auth_message, in.p, in.n);
    return SCRAM_OK;
}

enum scram_result scram_client_challenge(struct scram_client *c, struct span server_first,
                                         struct error *err)
{
    if (c->step != SCRAM_CLIENT_SENT_FIRST)
        return advance(c, SCRAM_CLIENT_OVER, bad(err, "out of order"));
    if (server_first.n > SCRAM_MESSAGE_MAX)
        return advance(c, SCRAM_CLIENT_OVER, bad(err, "too long"));
    enum scram_result r = read_server_first(c, server_first, err);
    if (r == SCRAM_OK && c->iterations > c->max_iterations) {
        error_set(err, SQLSTATE_PROGRAM_LIMIT,
                  "the server asks for %u SCRAM iterations, at most %u are accepted",
                  (unsigned)c->iterations, (unsigned)c->max_iterations);
        r = SCRAM_FAILED;
    }
    return advance(c, SCRAM_CLIENT_CHALLENGED, r);
}

/* client-final-message-without-proof = channel-binding "," nonce ["," extensions] */
static void build_without_proof(const struct scram_client *c, struct buf *b)
{
    struct buf bound = {0};
    scram_text_put(&bound, scram_gs2_header(c->choice.gs2_flag));
    buf_append(&bound, c->binding, c->binding_len);
    scram_text_put(b, "c=");
    scram_text_put_base64(b, buf_span(&bound));
    scram_text_put(b, ",r=");
    buf_append(b, buf_span(&c->auth_message).p + c->nonce_start, c->nonce_len);
    buf_reset(&bound);
}

static enum scram_result final_message(struct scram_client *c, const struct scram_keys *keys,
                                       struct buf *out, struct error *err)
{
    uint8_t proof[SCRAM_KEY_LEN];
    struct buf message = {0}, *said = &c->auth_message;

    build_without_proof(c, &message);
    scram_text_put(said, ",");
    buf_append(said, buf_span(&message).p, buf_len(&message));
    bool ok = scram_signature(keys->stored_key, buf_span(said), proof) &&
              scram_signature(keys->server_key, buf_span(said), c->server_signature);
    for (size_t i = 0; i < SCRAM_KEY_LEN; i++)
        proof[i] ^= keys->client_key[i];
    if (ok) {
        scram_text_put(&message, ",p=");
        scram_text_put_base64(&message, span_of(proof, sizeof proof));
        buf_append(out, buf_span(&message).p, buf_len(&message));
    }
    buf_reset(&message);
    mem_wipe(proof, sizeof proof);
    return ok ? SCRAM_OK : failed(err, SQLSTATE_INTERNAL, "could not compute a SCRAM signature");
}

enum scram_result scram_client_final(struct scram_client *c, const struct scram_keys *keys,
                                     struct buf *out, struct error *err)
{
    if (c->step != SCRAM_CLIENT_CHALLENGED || !keys->has_client_key)
        return advance(c, SCRAM_CLIENT_OVER,
                       failed(err, SQLSTATE_INTERNAL, "SCRAM exchange used out of order"));
    return advance(c, SCRAM_CLIENT_SENT_FINAL, final_message(c, keys, out, err));
}

/* server-error-value of section 7; an unknown one counts as other-error. Peer bytes stay out of
 * our texts, so the known ones are looked up. */
static enum scram_result server_error(struct span value, struct error *err)
{
    static const char *const known[] = {
        "invalid-encoding",
        "extensions-not-supported",
        "invalid-proof",
        "channel-bindings-dont-match",
        "server-does-support-channel-binding",
        "channel-binding-not-supported",
        "unsupported-channel-binding-type",
        "unknown-user",
        "invalid-username-encoding",
        "no-resources",
    };
    const char *text = "other-error";
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (span_is(value, known[i]))
            text = known[i];
    }
    error_set(err, SQLSTATE_INVALID_AUTHORIZATION, "the server refused the SCRAM exchange: %s",
              text);
    return SCRAM_FAILED;
}

/* server-final-message = (server-error / verifier) ["," extensions]
 * server-error = "e=" server-error-value     verifier = "v=" base64 */
static enum scram_result read_server_final(const struct scram_client *c, struct span in,
                                           struct error *err)
{
    uint8_t signature[SCRAM_KEY_LEN];
    struct span value;
    size_t n;
    struct scram_text t = scram_text_of(in);
    if (in.n > SCRAM_MESSAGE_MAX)
        return bad(err, "too long");
    if (scram_text_attr(&t, 'e', &value))
        return scram_text_end(&t) ? server_error(value, err) : bad(err, "trailing bytes");
    if (!scram_text_attr(&t, 'v', &value))
        return bad(err, "no signature");
    if (!base64_decode(value, signature, sizeof signature, &n) || n != SCRAM_KEY_LEN)
        return bad(err, "the signature is no base64 of a key");
    if (!scram_text_end(&t))
        return bad(err, "trailing bytes");
    if (!span_equal_ct(span_of(signature, n), span_of(c->server_signature, SCRAM_KEY_LEN)))
        return failed(err, SQLSTATE_INVALID_AUTHORIZATION,
                      "the server's SCRAM signature is wrong: it does not know the password");
    return SCRAM_OK;
}

enum scram_result scram_client_verify(struct scram_client *c, struct span server_final,
                                      struct error *err)
{
    if (c->step != SCRAM_CLIENT_SENT_FINAL)
        return advance(c, SCRAM_CLIENT_OVER, bad(err, "out of order"));
    return advance(c, SCRAM_CLIENT_VERIFIED, read_server_final(c, server_final, err));
}
