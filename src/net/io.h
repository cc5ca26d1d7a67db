/* SPDX-License-Identifier: PostgreSQL */
/* io.h - recv and send that are no cancellation points.
 *
 * In a program with threads the C library surrounds each of them with the bookkeeping of
 * pthread_cancel, which nobody here uses: 90 instructions of each transaction, more than what they
 * do. Its syscall(2) has none of that, but moves seven arguments about, which is another 60; so
 * where that is the same three lines for everybody, the kernel is called directly. The sanitizers
 * watch the library's own functions, so they get those. */
#ifndef NET_IO_H
#define NET_IO_H

#include <errno.h>
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

#ifdef __x86_64__

/* recvfrom(2) and sendto(2) without an address. */
static inline ssize_t io_call(long number, int fd, const void *p, size_t n, long flags)
{
    register long r10 __asm__("r10") = flags;
    register long r8 __asm__("r8") = 0;
    register long r9 __asm__("r9") = 0;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"((long)fd), "S"(p), "d"(n), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

#else

static inline ssize_t io_call(long number, int fd, const void *p, size_t n, long flags)
{
    return syscall(number, fd, p, n, flags, NULL, 0);
}

#endif

static inline ssize_t io_recv(int fd, void *p, size_t n)
{
    return io_call(SYS_recvfrom, fd, p, n, 0);
}

static inline ssize_t io_send(int fd, const void *p, size_t n)
{
    return io_call(SYS_sendto, fd, p, n, MSG_NOSIGNAL);
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
