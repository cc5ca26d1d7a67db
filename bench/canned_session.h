/* SPDX-License-Identifier: PostgreSQL */
/* canned_session.h - one session of the canned server: requests in, replies out, no sockets.
 *
 * Every statement returns the same row, except:
 *
 *     BEGIN, COMMIT, ROLLBACK        change the transaction status
 *     SET, RESET, DISCARD            are reported as PostgreSQL does
 *     SELECT stream(BYTES, ROW)      about BYTES of rows of ROW bytes each
 *     COPY stream(BYTES, ROW) TO     the same as CopyData
 *     COPY ... FROM STDIN            swallows what comes */
#ifndef BENCH_CANNED_SESSION_H
#define BENCH_CANNED_SESSION_H

#include "wire.h"

#define SESSION_NAME_MAX 64
#define SESSION_STATEMENT_MAX 256

enum session_state {
    SESSION_STARTUP,
    SESSION_READY,
    SESSION_COPY_IN,
};

/* All zero is a new one. */
struct session {
    enum session_state state;
    char status; /* of the transaction, as in ReadyForQuery */
    char application_name[SESSION_NAME_MAX];
    /* The last statement that was parsed and is not an ordinary one; SET comes like that. */
    char command_name[SESSION_NAME_MAX], command[SESSION_STATEMENT_MAX];
    bool has_command, command_is_bound;
    struct bytes packets; /* of start-up, as far as they have come */
    struct bytes replies; /* for the caller to send */
    struct bytes pending; /* requests behind a stream, not looked at yet */
    struct wire_reader reader;
    uint64_t stream_left; /* bytes of rows still to be made */
    char stream_letter;   /* 'D' rows, 'd' CopyData */
    struct bytes stream_row;
};

enum session_result {
    SESSION_GOES_ON,
    SESSION_WANTS_TLS, /* an SSLRequest, unanswered */
    SESSION_ENDS,
};

/* Takes all the bytes, and answers them as far as no stream is in the way. */
enum session_result session_take(struct session *s, const uint8_t *data, size_t len);
/* Whether there is more to make for `replies`: rows of a stream, or answers to what came behind. */
static inline bool session_has_more(const struct session *s)
{
    return s->stream_left > 0 || bytes_len(&s->pending) > 0;
}
/* Makes more, until `replies` holds `want` bytes or nothing is left; false: the session ends. */
bool session_make_more(struct session *s, size_t want);
void session_free(struct session *s);

#endif
