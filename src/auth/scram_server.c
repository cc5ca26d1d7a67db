/* SPDX-License-Identifier: PostgreSQL */
/* scram_server.c - the server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS.
 *
 * What is resisted here:
 *
 * - Finding out who exists. An unknown user (`doomed`) gets a salt that stays the same, the same
 *   messages and the same computations; only the last comparison cannot succeed.
 * - A man in the middle who strips PLUS from the offer. The client then says 'y' ("you did not
 *   offer it"), which is a lie by somebody when we did: refused (RFC 5802 section 6).
 * - A man in the middle with a TLS certificate of his own. The client's "c=" covers the hash of the
 *   certificate that it saw, and the proof covers "c=".
 * - Replay. The nonce has our random part, and the proof covers it.
 * - Timing. Keys and proofs are compared in constant time; everything else that is compared was
 *   sent in the clear.
 *
 * The user name inside the messages is ignored, as PostgreSQL does: the StartupMessage has said
 * who this is. An authorization identity and mandatory extensions are refused. */
#include "auth/scram_server.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/str.h"
#include "auth/base64.h"
#include "auth/digest.h"
#include "auth/scram_text.h"

void scram_server_init(struct scram_server *s, const struct scram_verifier *verifier, bool doomed,
                       enum scram_offer offer, struct span binding)
{
    *s = (struct scram_server){.verifier = *verifier, .doomed = doomed, .offer = offer};
    /* An empty hash would bind to nothing and look as if it did. */
    if (binding.n > sizeof s->binding || (offer == SCRAM_OFFER_PLUS && binding.n == 0))
        abort();
    if (binding.n)
        memcpy(s->binding, binding.p, binding.n);
    s->binding_len = binding.n;
    scram_nonce(s->nonce);
}

void scram_server_fini(struct scram_server *s)
{
    buf_reset(&s->auth_message);
    mem_wipe(s, sizeof *s);
}

const struct scram_keys *scram_server_keys(const struct scram_server *s)
{
    return s->step == SCRAM_SERVER_PROVEN ? &s->keys : NULL;
}

static enum scram_result bad(struct error *err, const char *detail)
{
    error_set(err, SQLSTATE_PROTOCOL_VIOLATION, "malformed SCRAM message: %s", detail);
    return SCRAM_BAD;
}

static enum scram_result failed(struct error *err, const char *sqlstate, const char *text)
{
    error_set(err, sqlstate, "%s", text);
    return SCRAM_FAILED;
}

static bool find_mechanism(const struct scram_server *s, struct span name,
                           enum scram_mechanism *mechanism_out)
{
    if (span_is(name, SCRAM_NAME_PLAIN))
        *mechanism_out = SCRAM_PLAIN;
    else if (span_is(name, SCRAM_NAME_PLUS) && s->offer == SCRAM_OFFER_PLUS)
        *mechanism_out = SCRAM_PLUS;
    else
        return false;
    return true;
}

/* gs2-header     = gs2-cbind-flag "," [ authzid ] ","
 * gs2-cbind-flag = ("p=" cb-name) / "n" / "y"            authzid = "a=" saslname */
static enum scram_result read_gs2_header(const struct scram_server *s,
                                         enum scram_mechanism mechanism, struct span in,
                                         struct error *err)
{
    char flag = in.n ? (char)in.p[0] : '\0';
    if (flag != 'n' && flag != 'y' && flag != 'p')
        return bad(err, "no channel binding flag");
    if (flag == 'p' && mechanism == SCRAM_PLAIN)
        return bad(err, "SCRAM-SHA-256 was chosen with channel binding");
    if (flag != 'p' && mechanism == SCRAM_PLUS)
        return bad(err, "SCRAM-SHA-256-PLUS was chosen without channel binding");
    if (flag == 'y' && s->offer == SCRAM_OFFER_PLUS)
        return failed(err, SQLSTATE_INVALID_AUTHORIZATION,
                      "SCRAM-SHA-256-PLUS not used although it was offered");
    if (span_starts(in, scram_gs2_header(flag)))
        return SCRAM_OK;
    return bad(err, flag == 'p' ? "channel binding type or authorization identity not understood"
                                : "channel binding flag or authorization identity not understood");
}

/* client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions] */
static enum scram_result read_client_first(struct span bare, struct span *nonce_out,
                                           struct error *err)
{
    struct span user;
    struct scram_text t = scram_text_of(bare);
    if (scram_text_is_mandatory_extension(&t))
        return bad(err, "the client requires an unknown extension");
    if (!scram_text_attr(&t, 'n', &user))
        return bad(err, "no user name");
    if (!t.owes || !scram_text_attr(&t, 'r', nonce_out) || !scram_text_is_nonce(*nonce_out))
        return bad(err, "no valid nonce");
    if (!scram_text_end(&t))
        return bad(err, "trailing bytes");
    return SCRAM_OK;
}

/* server-first-message = [reserved-mext ","] nonce "," salt "," iteration-count ["," extensions] */
static void build_server_first(struct scram_server *s, struct span client_nonce, struct buf *b)
{
    scram_text_put(b, "r=");
    s->nonce_start = buf_len(b);
    buf_append(b, client_nonce.p, client_nonce.n);
    scram_text_put(b, s->nonce);
    s->nonce_len = buf_len(b) - s->nonce_start;
    scram_text_put(b, ",s=");
    scram_text_put_base64(b, span_of(s->verifier.salt, s->verifier.salt_len));
    scram_text_put(b, ",i=");
    scram_text_put_number(b, s->verifier.iterations);
}

static enum scram_result server_first(struct scram_server *s, struct span name, struct span in,
                                      struct buf *out, struct error *err)
{
    enum scram_mechanism mechanism;
    struct span nonce;

    if (!find_mechanism(s, name, &mechanism)) {
        error_set(err, SQLSTATE_PROTOCOL_VIOLATION,
                  "client selected an invalid SASL authentication mechanism");
        return SCRAM_BAD;
    }
    if (in.n > SCRAM_MESSAGE_MAX)
        return bad(err, "too long");
    enum scram_result r = read_gs2_header(s, mechanism, in, err);
    if (r != SCRAM_OK)
        return r;
    s->gs2_flag = (char)in.p[0];
    size_t header = strlen(scram_gs2_header(s->gs2_flag));
    struct span bare = span_of(in.p + header, in.n - header);
    r = read_client_first(bare, &nonce, err);
    if (r != SCRAM_OK)
        return r;
    struct buf *b = &s->auth_message;
    buf_append(b, bare.p, bare.n);
    scram_text_put(b, ",");
    size_t start = buf_len(b);
    build_server_first(s, nonce, b);
    buf_append(out, buf_span(b).p + start, buf_len(b) - start);
    return SCRAM_OK;
}

enum scram_result scram_server_first(struct scram_server *s, struct span mechanism,
                                     struct span client_first, struct buf *out, struct error *err)
{
    if (s->step != SCRAM_SERVER_FIRST)
        return bad(err, "out of order");
    enum scram_result r = server_first(s, mechanism, client_first, out, err);
    s->step = r == SCRAM_OK ? SCRAM_SERVER_FINAL : SCRAM_SERVER_OVER;
    return r;
}

/* The parts of a client-final-message. */
struct client_final {
    struct span channel_binding; /* base64 */
    struct span nonce;
    struct span without_proof;
    uint8_t proof[SCRAM_KEY_LEN];
};

/* client-final-message               = client-final-message-without-proof "," proof
 * client-final-message-without-proof = channel-binding "," nonce ["," extensions]
 * channel-binding = "c=" base64      proof = "p=" base64 */
static enum scram_result read_client_final(struct span in, struct client_final *f,
                                           struct error *err)
{
    struct span proof;
    size_t proof_len;
    struct scram_text t = scram_text_of(in);
    if (in.n > SCRAM_MESSAGE_MAX)
        return bad(err, "too long");
    if (!scram_text_attr(&t, 'c', &f->channel_binding))
        return bad(err, "no channel binding");
    if (!t.owes || !scram_text_attr(&t, 'r', &f->nonce))
        return bad(err, "no nonce");
    if (!t.owes)
        return bad(err, "no proof");
    f->without_proof = span_of(in.p, (size_t)(t.at - in.p) - 1);
    while (!scram_text_attr(&t, 'p', &proof)) {
        struct span ignored;
        if (scram_text_is_mandatory_extension(&t))
            return bad(err, "the client requires an unknown extension");
        if (!scram_text_extension(&t, &ignored) || !t.owes)
            return bad(err, "no proof");
        f->without_proof.n = (size_t)(t.at - in.p) - 1;
    }
    if (t.owes)
        return bad(err, "bytes behind the proof");
    if (!base64_decode(proof, f->proof, sizeof f->proof, &proof_len) || proof_len != SCRAM_KEY_LEN)
        return bad(err, "the proof is no base64 of a key");
    return SCRAM_OK;
}

/* c= must be base64(gs2-header as sent first, then the binding data if the flag is 'p'). */
static enum scram_result check_binding(const struct scram_server *s, struct span sent,
                                       struct error *err)
{
    uint8_t raw[sizeof "p=" SCRAM_BINDING_NAME ",," + SCRAM_BINDING_MAX];
    char text[BASE64_TEXT(sizeof raw)];
    struct span header = span_str(scram_gs2_header(s->gs2_flag));
    bool bound = s->gs2_flag == 'p';

    memcpy(raw, header.p, header.n);
    if (bound)
        memcpy(raw + header.n, s->binding, s->binding_len);
    size_t n = base64_encode(span_of(raw, header.n + (bound ? s->binding_len : 0)), text);
    if (span_equal(sent, span_of(text, n)))
        return SCRAM_OK;
    if (!bound)
        return bad(err, "unexpected channel binding data");
    return failed(err, SQLSTATE_INVALID_AUTHORIZATION,
                  "SCRAM channel binding check failed: the client saw another certificate");
}

/* ClientKey = ClientProof XOR ClientSignature; it is right if SHA-256(ClientKey) = StoredKey. */
static enum scram_result check_proof(struct scram_server *s, const struct client_final *f,
                                     struct error *err)
{
    uint8_t signature[SCRAM_KEY_LEN];
    struct scram_keys *k = &s->keys;
    const struct scram_verifier *v = &s->verifier;

    if (!scram_signature(v->stored_key, buf_span(&s->auth_message), signature))
        return failed(err, SQLSTATE_INTERNAL, "could not compute a SCRAM signature");
    for (size_t i = 0; i < SCRAM_KEY_LEN; i++)
        k->client_key[i] = f->proof[i] ^ signature[i];
    if (!digest_sha256(span_of(k->client_key, SCRAM_KEY_LEN), k->stored_key))
        return failed(err, SQLSTATE_INTERNAL, "could not compute a digest");
    bool right =
        span_equal_ct(span_of(k->stored_key, SCRAM_KEY_LEN), span_of(v->stored_key, SCRAM_KEY_LEN));
    if (!right || s->doomed)
        return failed(err, SQLSTATE_INVALID_PASSWORD, "password authentication failed");
    memcpy(k->server_key, v->server_key, SCRAM_KEY_LEN);
    k->has_client_key = true;
    return SCRAM_OK;
}

/* server-final-message = verifier     verifier = "v=" base64(ServerSignature) */
static enum scram_result build_server_final(const struct scram_server *s, struct buf *out,
                                            struct error *err)
{
    uint8_t signature[SCRAM_KEY_LEN];
    if (!scram_signature(s->verifier.server_key, buf_span(&s->auth_message), signature))
        return failed(err, SQLSTATE_INTERNAL, "could not compute a SCRAM signature");
    scram_text_put(out, "v=");
    scram_text_put_base64(out, span_of(signature, sizeof signature));
    return SCRAM_OK;
}

static enum scram_result server_final(struct scram_server *s, struct span in, struct buf *out,
                                      struct error *err)
{
    struct client_final f;
    enum scram_result r = read_client_final(in, &f, err);
    if (r == SCRAM_OK)
        r = check_binding(s, f.channel_binding, err);
    if (r != SCRAM_OK)
        return r;
    struct span nonce = span_of(buf_span(&s->auth_message).p + s->nonce_start, s->nonce_len);
    if (!span_equal(f.nonce, nonce))
        return bad(err, "the nonce does not match");
    scram_text_put(&s->auth_message, ",");
    buf_append(&s->auth_message, f.without_proof.p, f.without_proof.n);
    r = check_proof(s, &f, err);
    return r == SCRAM_OK ? build_server_final(s, out, err) : r;
}

enum scram_result scram_server_final(struct scram_server *s, struct span client_final,
                                     struct buf *out, struct error *err)
{
    if (s->step != SCRAM_SERVER_FINAL)
        return bad(err, "out of order");
    enum scram_result r = server_final(s, client_final, out, err);
    s->step = r == SCRAM_OK ? SCRAM_SERVER_PROVEN : SCRAM_SERVER_OVER;
    if (r != SCRAM_OK)
        mem_wipe(&s->keys, sizeof s->keys);
    return r;
}
