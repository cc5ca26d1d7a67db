/* SPDX-License-Identifier: PostgreSQL */
/* systemd.c - the two small protocols of the service manager, without its library. */
#include "main/systemd.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* As many as anybody passes, and far from any other use of descriptors. */
#define LISTEN_FDS_MAX 256

static void send_datagram(const char *path, const char *text, size_t n)
{
    struct addr to;
    if (!addr_from_path(&to, path))
        return;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || sendto(fd, text, n, MSG_NOSIGNAL, &to.u.sa, to.len) < 0)
        log_warning("could not notify the service manager: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
}

void systemd_notify(const char *fmt, ...)
{
    const char *path = getenv("NOTIFY_SOCKET");
    char text[512];
    va_list ap;
    if (!path || (path[0] != '/' && path[0] != '@'))
        return;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n > 0)
        send_datagram(path, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void systemd_notify_reloading(void)
{
    systemd_notify("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_monotonic_us());
}

static bool number(const char *name, int64_t max, int64_t *out)
{
    const char *text = getenv(name);
    return text && str_to_i64(text, 0, max, out);
}

int systemd_listen_fds(void)
{
    int64_t pid, n;
    bool ours = number("LISTEN_PID", INT32_MAX, &pid) && pid == getpid() &&
                number("LISTEN_FDS", LISTEN_FDS_MAX, &n);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return ours ? (int)n : 0;
}
