/* SPDX-License-Identifier: PostgreSQL */
#include "net/tls_memory.h"

#include "net_fixture.h"

#include <openssl/crypto.h>
#include <pthread.h>

/* What OpenSSL 3.0 asks for to read a record, and to write one. */
#define READ_BUFFER 16716
#define WRITE_BUFFER 16512

static void test_a_record_buffer_is_the_next_one_again(void **state)
{
    (void)state;
    void *first = OPENSSL_malloc(READ_BUFFER);
    OPENSSL_free(first);
    void *second = OPENSSL_malloc(WRITE_BUFFER);
    assert_ptr_equal(second, first);
    memset(second, 1, READ_BUFFER); /* large enough for either */
    void *other = OPENSSL_malloc(READ_BUFFER);
    assert_ptr_not_equal(other, second);
    OPENSSL_free(second);
    OPENSSL_free(other);
    void *third = OPENSSL_malloc(READ_BUFFER);
    assert_ptr_equal(third, other); /* the warmest */
    OPENSSL_free(third);
}

static void test_other_sizes_come_and_go_as_from_malloc(void **state)
{
    (void)state;
    const size_t sizes[] = {1, 16, 1000, 16384, 17408, 17409, 17500, 18000, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *p = OPENSSL_malloc(sizes[i]);
        assert_non_null(p);
        memset(p, 7, sizes[i]);
        p = OPENSSL_realloc(p, sizes[i] * 2);
        assert_non_null(p);
        assert_int_equal(p[sizes[i] - 1], 7);
        OPENSSL_free(p);
    }
    assert_null(OPENSSL_malloc(0));
    OPENSSL_free(NULL);
    assert_null(OPENSSL_realloc(OPENSSL_malloc(READ_BUFFER), 0));
}

/* A leak, to the sanitizer, if it kept them. */
static void *use_some(void *arg)
{
    void *p[8];
    for (int i = 0; i < 8; i++)
        p[i] = OPENSSL_malloc(READ_BUFFER);
    for (int i = 0; i < 8; i++)
        OPENSSL_free(p[i]);
    return arg;
}

static void test_a_thread_that_ends_gives_back_what_it_kept(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, use_some, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    tls_memory_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_buffer_is_the_next_one_again),
        cmocka_unit_test(test_other_sizes_come_and_go_as_from_malloc),
        cmocka_unit_test(test_a_thread_that_ends_gives_back_what_it_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
