/* SPDX-License-Identifier: PostgreSQL */
/* addr.c - socket addresses as values. */
#include "base/addr.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct addr *addr_compact(const struct addr *a)
{
    size_t n = offsetof(struct addr, u) + a->len;
    return memcpy(xmalloc(n), a, n);
}

bool addr_from_literal(struct addr *a, const char *text, uint16_t port)
{
    memset(a, 0, sizeof *a);
    if (inet_pton(AF_INET, text, &a->u.in4.sin_addr) == 1) {
        a->u.in4.sin_family = AF_INET;
        a->u.in4.sin_port = htons(port);
        a->len = sizeof a->u.in4;
        return true;
    }
    if (inet_pton(AF_INET6, text, &a->u.in6.sin6_addr) == 1) {
        a->u.in6.sin6_family = AF_INET6;
        a->u.in6.sin6_port = htons(port);
        a->len = sizeof a->u.in6;
        return true;
    }
    return false;
}

bool addr_from_path(struct addr *a, const char *path)
{
    memset(a, 0, sizeof *a);
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof a->u.un.sun_path)
        return false;
    a->u.un.sun_family = AF_UNIX;
    memcpy(a->u.un.sun_path, path, n);
    if (path[0] == '@') {
        a->u.un.sun_path[0] = '\0';
        a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    } else {
        a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    }
    return true;
}

void addr_unmap(struct addr *a)
{
    if (a->u.sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->u.in6.sin6_addr))
        return;
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = a->u.in6.sin6_port};
    memcpy(&in4.sin_addr, &a->u.in6.sin6_addr.s6_addr[12], sizeof in4.sin_addr);
    memset(a, 0, sizeof *a);
    a->u.in4 = in4;
    a->len = sizeof in4;
}

uint16_t addr_port(const struct addr *a)
{
    if (a->u.sa.sa_family == AF_INET)
        return ntohs(a->u.in4.sin_port);
    if (a->u.sa.sa_family == AF_INET6)
        return ntohs(a->u.in6.sin6_port);
    return 0;
}

bool addr_is_unix(const struct addr *a)
{
    return a->u.sa.sa_family == AF_UNIX;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return a->len == b->len && memcmp(&a->u, &b->u, a->len) == 0;
}

const char *addr_host_text(const struct addr *a, char *out, size_t size)
{
    char tmp[INET6_ADDRSTRLEN] = "?";
    if (addr_is_unix(a)) {
        snprintf(out, size, "unix");
        return out;
    }
    if (a->u.sa.sa_family == AF_INET)
        inet_ntop(AF_INET, &a->u.in4.sin_addr, tmp, sizeof tmp);
    else if (a->u.sa.sa_family == AF_INET6)
        inet_ntop(AF_INET6, &a->u.in6.sin6_addr, tmp, sizeof tmp);
    snprintf(out, size, "%s", tmp);
    return out;
}

const char *addr_text(const struct addr *a, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN];
    if (addr_is_unix(a)) {
        size_t head = offsetof(struct sockaddr_un, sun_path);
        size_t room = a->len > head ? a->len - head : 0;
        const char *path = a->u.un.sun_path;
        if (room && path[0] == '\0')
            snprintf(out, size, "unix:@%.*s", (int)(room - 1), path + 1);
        else
            snprintf(out, size, "unix:%.*s", (int)room, path);
        return out;
    }
    addr_host_text(a, host, sizeof host);
    if (a->u.sa.sa_family == AF_INET6)
        snprintf(out, size, "[%s]:%u", host, (unsigned)addr_port(a));
    else
        snprintf(out, size, "%s:%u", host, (unsigned)addr_port(a));
    return out;
}
