/* SPDX-License-Identifier: PostgreSQL */
/* daemon.c - what the program is to the operating system. */
#include "main/daemon.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

void daemon_harden(void)
{
    const struct rlimit none = {0, 0};
    umask(027);
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
        log_warning("could not switch off core dumps: %s", strerror(errno));
}

/* ---- account --------------------------------------------------------------------------- */

static bool become(const struct passwd *pw, struct error *err)
{
    if (initgroups(pw->pw_name, pw->pw_gid) == 0 && setgid(pw->pw_gid) == 0 &&
        setuid(pw->pw_uid) == 0)
        return true;
    return error_set(err, "", "could not become user \"%s\": %s", pw->pw_name, strerror(errno));
}

bool daemon_switch_user(const char *name, struct error *err)
{
    if (!name[0])
        return geteuid() != 0 ||
               error_set(err, "",
                         "should not run as root: start it as another user, or name one "
                         "by `user` in the configuration or by -u NAME");
    errno = 0;
    const struct passwd *pw = getpwnam(name);
    if (!pw)
        return error_set(err, "", "could not find user \"%s\": %s", name,
                         errno ? strerror(errno) : "no such user");
    if (pw->pw_uid == 0)
        return error_set(err, "", "user \"%s\" is root, which this should not run as", name);
    return pw->pw_uid == geteuid() || become(pw, err);
}

/* ---- background ------------------------------------------------------------------------ */

/* The parent: its caller learns by the status whether the start went well. */
static void leave_with_status_of(int fd) __attribute__((noreturn));
static void leave_with_status_of(int fd)
{
    unsigned char status = 1;
    ssize_t n;
    do {
        n = read(fd, &status, 1);
    } while (n < 0 && errno == EINTR);
    _exit(n == 1 ? status : 1);
}

int daemon_detach(struct error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        error_set(err, "", "could not go into the background: %s", strerror(errno));
        return -1;
    }
    pid_t pid = fork();
    if (pid > 0) {
        close(ends[1]);
        leave_with_status_of(ends[0]);
    }
    close(ends[0]);
    /* The second fork gives up leading the session, so that no terminal can become ours. */
    if (pid == 0 && setsid() >= 0)
        pid = fork();
    if (pid > 0)
        _exit(0);
    if (pid == 0)
        return ends[1];
    error_set(err, "", "could not go into the background: %s", strerror(errno));
    close(ends[1]);
    return -1;
}

void daemon_started(int fd, int status)
{
    unsigned char byte = (unsigned char)status;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    /* The parent may be gone: nobody waits then. */
    ssize_t ignored = write(fd, &byte, 1);
    (void)ignored;
    close(fd);
    if (null < 0)
        return;
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        (void)dup2(null, i);
    close(null);
}

/* ---- pid file -------------------------------------------------------------------------- */

/* 0 if there is none in it. */
static pid_t read_pid(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    return pid > 1 ? (pid_t)pid : 0;
}

static bool lives(pid_t pid)
{
    return pid && pid != getpid() && (kill(pid, 0) == 0 || errno == EPERM);
}

bool daemon_may_write_pidfile(const char *path, pid_t predecessor, struct error *err)
{
    pid_t other = read_pid(path);
    return !lives(other) || other == predecessor ||
           error_set(err, "", "pidfile '%.100s' exists, another instance running? (pid %d)", path,
                     (int)other);
}

static bool write_pid(const char *path, struct error *err)
{
    /* Exclusively: another instance may have had the same thought. */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_set(err, "", "could not create pidfile \"%.100s\": %s", path, strerror(errno));
    bool ok = dprintf(fd, "%d\n", (int)getpid()) > 0 && fchmod(fd, 0644) == 0;
    if (!ok)
        error_set(err, "", "could not write pidfile \"%.100s\": %s", path, strerror(errno));
    close(fd);
    return ok;
}

static bool clear(const char *path, struct error *err)
{
    return unlink(path) == 0 || errno == ENOENT ||
           error_set(err, "", "could not remove stale pidfile \"%.100s\": %s", path,
                     strerror(errno));
}

bool daemon_write_pidfile(const char *path, struct error *err)
{
    return daemon_may_write_pidfile(path, 0, err) && clear(path, err) && write_pid(path, err);
}

/* At no time is there none, or half of one. */
bool daemon_replace_pidfile(const char *path, pid_t predecessor, struct error *err)
{
    if (!daemon_may_write_pidfile(path, predecessor, err))
        return false;
    char *beside = xasprintf("%s.new", path);
    bool ok = clear(beside, err) && write_pid(beside, err);
    if (ok && rename(beside, path) != 0)
        ok = error_set(err, "", "could not rename pidfile \"%.100s\": %s", beside, strerror(errno));
    free(beside);
    return ok;
}

void daemon_remove_pidfile(const char *path)
{
    if (read_pid(path) == getpid())
        (void)unlink(path);
}
