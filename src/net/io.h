/* SPDX-License-Identifier: PostgreSQL */
/* io.h - recv and send that are no cancellation points.
 *
 * In a program with threads the C library surrounds each of them with the bookkeeping of
 * pthread_cancel, which nobody here uses: 90 instructions of each transaction, more than what they
 * do. The sanitizers watch the library's own functions, so they get those. */
#ifndef NET_IO_H
#define NET_IO_H

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IO_IS_WATCHED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IO_IS_WATCHED
#endif

#if defined(SYS_recvfrom) && defined(SYS_sendto) && !defined(IO_IS_WATCHED)

static inline ssize_t io_recv(int fd, void *p, size_t n)
{
    return syscall(SYS_recvfrom, fd, p, n, 0, NULL, NULL);
}

static inline ssize_t io_send(int fd, const void *p, size_t n)
{
    return syscall(SYS_sendto, fd, p, n, MSG_NOSIGNAL, NULL, 0);
}

#else

static inline ssize_t io_recv(int fd, void *p, size_t n)
{
    return recv(fd, p, n, 0);
}

static inline ssize_t io_send(int fd, const void *p, size_t n)
{
    return send(fd, p, n, MSG_NOSIGNAL);
}

#endif
#endif
