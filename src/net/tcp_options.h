/* SPDX-License-Identifier: PostgreSQL */
/* tcp_options.h - options of TCP connections, for both sides: how dead peers are found, and the
 * kernel's buffers. */
#ifndef NET_TCP_OPTIONS_H
#define NET_TCP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* 0 leaves the kernel's default. */
struct tcp_options {
    bool keepalive;
    int keepidle_s;           /* silence before the first probe */
    int keepintvl_s;          /* between probes */
    int keepcnt;              /* probes before the connection is cut */
    unsigned user_timeout_ms; /* unacknowledged bytes before the connection is cut */
    int buffer_bytes;         /* the kernel's, each way; a number ends its own tuning */
};

/* Sets TCP_NODELAY and the options. What the kernel refuses is left as it is: none of this is worth
 * losing a connection for. */
void tcp_options_apply(int fd, const struct tcp_options *o);

#endif
