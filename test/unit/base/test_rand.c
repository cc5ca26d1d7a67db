/* SPDX-License-Identifier: PostgreSQL */
#include "base/rand.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Two of 16 random bytes are equal once in 2^128. */
#define DRAW 16
#define DRAWS 100

static void assert_all_differ(uint8_t (*drawn)[DRAW], int n)
{
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(drawn[i], drawn[k], DRAW);
    }
}

static void test_rand_never_gives_the_same_bytes_twice(void **state)
{
    uint8_t drawn[DRAWS][DRAW];
    (void)state;
    for (int i = 0; i < DRAWS; i++)
        rand_bytes(drawn[i], DRAW);
    assert_all_differ(drawn, DRAWS);
}

static void test_rand_fills_requests_of_every_size_and_nothing_beyond(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 600; n++) {
        uint8_t bytes[604];
        bool touched_end = n == 0;
        memset(bytes, 0xaa, sizeof bytes);
        for (int i = 0; i < 20 && !touched_end; i++) {
            rand_bytes(bytes, n);
            touched_end = bytes[n - 1] != 0xaa;
        }
        assert_true(touched_end);
        for (size_t i = n; i < sizeof bytes; i++)
            assert_int_equal(bytes[i], 0xaa);
    }
}

static void test_rand_gives_parent_and_child_of_a_fork_different_bytes(void **state)
{
    uint8_t drawn[3][DRAW];
    int pipe_fds[2];
    (void)state;
    rand_bytes(drawn[0], DRAW); /* there is a stock to inherit */
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        rand_bytes(drawn[1], DRAW);
        _exit(write(pipe_fds[1], drawn[1], DRAW) == DRAW ? 0 : 1);
    }
    rand_bytes(drawn[2], DRAW);
    assert_int_equal(read(pipe_fds[0], drawn[1], DRAW), DRAW);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    assert_all_differ(drawn, 3);
}

static void *draw(void *out)
{
    rand_bytes(out, DRAW);
    return NULL;
}

static void test_rand_gives_threads_different_bytes(void **state)
{
    uint8_t drawn[3][DRAW];
    pthread_t threads[2];
    (void)state;
    rand_bytes(drawn[2], DRAW);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, draw, drawn[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_all_differ(drawn, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rand_never_gives_the_same_bytes_twice),
        cmocka_unit_test(test_rand_fills_requests_of_every_size_and_nothing_beyond),
        cmocka_unit_test(test_rand_gives_parent_and_child_of_a_fork_different_bytes),
        cmocka_unit_test(test_rand_gives_threads_different_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
