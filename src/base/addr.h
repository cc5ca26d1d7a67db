/* SPDX-License-Identifier: PostgreSQL */
/* addr.h - a socket address (IPv4, IPv6, Unix) as a value. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct addr {
    socklen_t len;
    union {
        struct sockaddr sa;
        struct sockaddr_in in4;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } u;
};

/* Room for "[address%scope]:port" or a socket path. */
#define ADDR_TEXT 128

/* An owned copy (free) with room for this address and no more: read it through the pointer, a copy
 * by value would reach beyond it. For what is kept per connection. */
struct addr *addr_compact(const struct addr *a);
/* A literal IPv4 or IPv6 address; false if text is a name. */
bool addr_from_literal(struct addr *a, const char *text, uint16_t port);
/* A Unix socket path ('@' first: abstract name); false if it is too long. */
bool addr_from_path(struct addr *a, const char *path);
/* An IPv4 address that a socket of both families shows as ::ffff:a.b.c.d becomes that IPv4 address.
 */
void addr_unmap(struct addr *a);
uint16_t addr_port(const struct addr *a);
bool addr_is_unix(const struct addr *a);
bool addr_equal(const struct addr *a, const struct addr *b);
/* Host part only ("127.0.0.1", "::1", "unix"), and host with port ("127.0.0.1:5432",
 * "[::1]:5432", "unix:/path"). Both return out. */
const char *addr_host_text(const struct addr *a, char *out, size_t size);
const char *addr_text(const struct addr *a, char *out, size_t size);

#endif
