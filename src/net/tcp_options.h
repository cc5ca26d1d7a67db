/* SPDX-License-Identifier: PostgreSQL */
/* tcp_options.h - how dead peers are found: keepalive and user time-out, for both sides. */
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
};

/* Sets TCP_NODELAY and the options. What the kernel refuses is left as it is: none of this is worth
 * losing a connection for. */
void tcp_options_apply(int fd, const struct tcp_options *o);

#endif
