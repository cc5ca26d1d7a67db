/* SPDX-License-Identifier: PostgreSQL */
/* tls_memory.h - OpenSSL's record buffers, kept for the next record.
 *
 * A connection owns no buffer while nothing passes (SSL_MODE_RELEASE_BUFFERS, 19 KiB in place of
 * 52), so OpenSSL takes one of 17 KiB for each record it reads or writes and gives it back behind
 * it. That is too large for malloc's own cache: each pair cost 550 instructions. A few are kept by
 * each thread; everything else goes to malloc as it came. */
#ifndef NET_TLS_MEMORY_H
#define NET_TLS_MEMORY_H

/* Before anything of OpenSSL is used, or it does nothing. */
void tls_memory_install(void);

#endif
