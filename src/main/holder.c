/* SPDX-License-Identifier: PostgreSQL */
/* holder.c - who listens on a TCP port: proc(5) has the sockets by port, and the descriptors of
 * each process by socket. */
#include "main/holder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* State of a listening socket in /proc/net/tcp. */
#define STATE_LISTEN 0x0a

/* The inode of a socket that listens on the port, or 0. */
static unsigned long inode_in(const char *table, uint16_t port)
{
    char line[512];
    unsigned long found = 0;
    FILE *f = fopen(table, "re");
    if (!f)
        return 0;
    while (!found && fgets(line, sizeof line, f)) {
        unsigned local, state;
        unsigned long inode;
        /* sl local:port remote:port st queues timer retransmits uid timeout inode */
        if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*u %*u %lu",
                   &local, &state, &inode) == 3 &&
            local == port && state == STATE_LISTEN)
            found = inode;
    }
    fclose(f);
    return found;
}

static bool has_socket(const char *pid, const char *wanted)
{
    char path[300], link[64];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *d = opendir(path);
    if (!d)
        return false;
    for (struct dirent *e; !found && (e = readdir(d)) != NULL;) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof link - 1);
        if (n <= 0)
            continue;
        link[n] = '\0';
        found = strcmp(link, wanted) == 0;
    }
    closedir(d);
    return found;
}

static void describe(const char *pid, char out[HOLDER_TEXT])
{
    char path[64], name[32] = "process";
    snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    FILE *f = fopen(path, "re");
    if (f && fgets(name, sizeof name, f))
        name[strcspn(name, "\n")] = '\0';
    if (f)
        fclose(f);
    snprintf(out, HOLDER_TEXT, "%s, pid %.20s", name, pid);
}

bool holder_of_port(uint16_t port, char out[HOLDER_TEXT])
{
    char wanted[64];
    unsigned long inode = inode_in("/proc/net/tcp", port);
    out[0] = '\0';
    if (!inode)
        inode = inode_in("/proc/net/tcp6", port);
    if (!inode)
        return false;
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    DIR *d = opendir("/proc");
    if (!d)
        return true;
    for (struct dirent *e; !out[0] && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && has_socket(e->d_name, wanted))
            describe(e->d_name, out);
    }
    closedir(d);
    return true;
}
