/* SPDX-License-Identifier: PostgreSQL */
/* stream_impl.h - what the files of a stream share; included by stream*.c only.
 *
 *   stream.c       life, reading, pausing, moving
 *   stream_send.c  sending, what is stuck
 *   stream_tls.c   handshake, decrypting, what is known about the session
 *
 * After any callback the stream may be closed, or detached and already running in another thread.
 * So nothing may touch it before asking stream_is_reader: the loop's staging buffers remember for
 * whom they are lent, and closing or detaching clears that. */
#ifndef NET_STREAM_IMPL_H
#define NET_STREAM_IMPL_H

#include "net/loop_impl.h"
#include "net/stream.h"

static inline bool stream_is_reader(const struct stream *s, const struct staging *st)
{
    return st->reader == s;
}

/* Tells the owner once; nothing is read any more. `how` but for STREAM_EOF also ends sending. */
void stream_tell_end(struct stream *s, enum stream_end how, const struct error *err);
/* The same for what a system call said. */
void stream_tell_errno(struct stream *s, const char *doing, int number);

/* Sends what stands in the loop's `out` (encrypted), keeps what doesn't go, empties `out`. */
void stream_flush(struct stream *s);
/* Sending failed: the owner is told at the end of the turn. */
void stream_fail_send(struct stream *s, int number);
void stream_drop_unsent(struct stream *s);

/* The bytes came from the socket into st->in; the stream is st's reader. */
void stream_tls_input(struct stream *s, struct staging *st, size_t n);
/* The socket is readable while a handshake is under way: queue for a step. */
void stream_tls_ready(struct stream *s);
bool stream_in_handshake(const struct stream *s);
/* One read; false if there was nothing, or nothing more will come. */
bool stream_read_once(struct stream *s);

#endif
