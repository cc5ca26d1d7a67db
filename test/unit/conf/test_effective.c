/* SPDX-License-Identifier: PostgreSQL */
/* test_effective.c - user over database over global. */
#include "conf/effective.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"

struct fixture {
    struct config *cfg;
    struct config_database *db;
    struct config_user *user;
};

static int setup(void **state)
{
    struct fixture *x = xcalloc(1, sizeof *x);
    x->cfg = config_new(CONFIG_INI);
    x->db = config_database_new("d", "o");
    x->user = config_user_new("u", "o");
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    config_free(&x->cfg);
    config_database_free(&x->db);
    config_user_free(&x->user);
    free(x);
    return 0;
}

static void test_effective_sizes_follow_user_over_database_over_global(void **state)
{
    struct fixture *x = *state;
    assert_int_equal(effective_pool_size(x->cfg, x->db, x->user), 20);
    assert_int_equal(effective_pool_size(x->cfg, x->db, NULL), 20);
    x->db->pool_size = 7;
    assert_int_equal(effective_pool_size(x->cfg, x->db, x->user), 7);
    x->user->pool_size = 0;
    assert_int_equal(effective_pool_size(x->cfg, x->db, x->user), 0);
    assert_int_equal(effective_pool_size(x->cfg, x->db, NULL), 7);
    x->db->reserve_pool_size = 3;
    assert_int_equal(effective_reserve_pool_size(x->cfg, x->db, x->user), 3);
    x->user->reserve_pool_size = 2;
    assert_int_equal(effective_reserve_pool_size(x->cfg, x->db, x->user), 2);
    x->db->min_pool_size = 1;
    assert_int_equal(effective_min_pool_size(x->cfg, x->db), 1);
    assert_int_equal(effective_pool_mode(x->cfg, x->db, x->user), POOL_MODE_SESSION);
    x->db->pool_mode = POOL_MODE_TRANSACTION;
    assert_int_equal(effective_pool_mode(x->cfg, x->db, x->user), POOL_MODE_TRANSACTION);
    x->user->pool_mode = POOL_MODE_STATEMENT;
    assert_int_equal(effective_pool_mode(x->cfg, x->db, x->user), POOL_MODE_STATEMENT);
}

static void test_effective_limits_can_be_lifted_for_one_database_or_user(void **state)
{
    struct fixture *x = *state;
    x->cfg->max_db_connections = x->cfg->max_db_client_connections = 5;
    x->cfg->max_user_connections = x->cfg->max_user_client_connections = 6;
    assert_int_equal(effective_max_db_connections(x->cfg, x->db), 5);
    assert_int_equal(effective_max_db_client_connections(x->cfg, x->db), 5);
    assert_int_equal(effective_max_user_connections(x->cfg, x->user), 6);
    assert_int_equal(effective_max_user_client_connections(x->cfg, NULL), 6);
    x->db->max_db_connections = x->db->max_db_client_connections = 0;
    x->user->max_user_connections = x->user->max_user_client_connections = 0;
    assert_int_equal(effective_max_db_connections(x->cfg, x->db), 0);
    assert_int_equal(effective_max_db_client_connections(x->cfg, x->db), 0);
    assert_int_equal(effective_max_user_connections(x->cfg, x->user), 0);
    assert_int_equal(effective_max_user_client_connections(x->cfg, x->user), 0);
}

static void test_effective_timeouts_follow_the_same_order(void **state)
{
    struct fixture *x = *state;
    x->cfg->query_timeout_us = 1;
    x->cfg->idle_transaction_timeout_us = 2;
    x->cfg->transaction_timeout_us = 3;
    x->cfg->client_idle_timeout_us = 4;
    x->cfg->query_wait_timeout_us = 5;
    x->cfg->server_lifetime_us = 6;
    assert_int_equal(effective_query_timeout_us(x->cfg, x->db, x->user), 1);
    assert_int_equal(effective_idle_transaction_timeout_us(x->cfg, x->db, NULL), 2);
    assert_int_equal(effective_transaction_timeout_us(x->cfg, x->db, x->user), 3);
    assert_int_equal(effective_client_idle_timeout_us(x->cfg, x->db, x->user), 4);
    assert_int_equal(effective_query_wait_timeout_us(x->cfg, x->db, x->user), 5);
    assert_int_equal(effective_server_lifetime_us(x->cfg, x->db), 6);
    x->user->query_timeout_us = x->user->idle_transaction_timeout_us = 11;
    x->user->transaction_timeout_us = x->user->client_idle_timeout_us = 12;
    x->db->query_wait_timeout_us = 13;
    x->db->server_lifetime_us = 14;
    assert_int_equal(effective_query_timeout_us(x->cfg, x->db, x->user), 11);
    assert_int_equal(effective_idle_transaction_timeout_us(x->cfg, x->db, x->user), 11);
    assert_int_equal(effective_transaction_timeout_us(x->cfg, x->db, x->user), 12);
    assert_int_equal(effective_client_idle_timeout_us(x->cfg, x->db, x->user), 12);
    assert_int_equal(effective_query_wait_timeout_us(x->cfg, x->db, x->user), 13);
    x->user->query_wait_timeout_us = 0;
    assert_int_equal(effective_query_wait_timeout_us(x->cfg, x->db, x->user), 0);
    assert_int_equal(effective_server_lifetime_us(x->cfg, x->db), 14);
    x->db->client_idle_timeout_us = 15;
    x->db->server_idle_timeout_us = 16;
    assert_int_equal(effective_client_idle_timeout_us(x->cfg, x->db, x->user), 12);
    assert_int_equal(effective_client_idle_timeout_us(x->cfg, x->db, NULL), 15);
    assert_int_equal(effective_server_idle_timeout_us(x->cfg, x->db), 16);
}

static void test_effective_pauses_are_at_most_server_login_retry(void **state)
{
    struct fixture *x = *state;
    struct error err;
    struct config *url = config_new(CONFIG_URL);
    assert_int_equal(effective_longest_pause_us(url), 0);
    assert_true(config_set(url, span_str("server_login_retry"), "4", "o", &err));
    assert_int_equal(effective_longest_pause_us(url), 4 * US_PER_S);
    config_free(&url);
    assert_int_equal(effective_longest_pause_us(x->cfg), 15 * US_PER_S);
    assert_true(config_set(x->cfg, span_str("server_login_retry"), "0", "o", &err));
    assert_int_equal(effective_longest_pause_us(x->cfg), US_PER_MS);
    assert_true(config_set(x->cfg, span_str("breaker_open_time"), "7", "o", &err));
    assert_int_equal(effective_longest_pause_us(x->cfg), 7 * US_PER_S);
}

static void test_effective_tls_of_a_socket_is_none(void **state)
{
    struct fixture *x = *state;
    char tcp[] = "h", dir[] = "/run", abstract[] = "@x";
    struct config_host host = {.name = tcp};
    x->cfg->server_tls_sslmode = SSLMODE_REQUIRE;
    assert_int_equal(effective_sslmode(x->cfg, x->db, &host), SSLMODE_REQUIRE);
    x->db->sslmode = SSLMODE_ALLOW;
    assert_int_equal(effective_sslmode(x->cfg, x->db, &host), SSLMODE_PREFER);
    x->db->sslmode = SSLMODE_VERIFY_FULL;
    assert_int_equal(effective_sslmode(x->cfg, x->db, &host), SSLMODE_VERIFY_FULL);
    host.name = dir;
    assert_int_equal(effective_sslmode(x->cfg, x->db, &host), SSLMODE_DISABLE);
    host.name = abstract;
    assert_int_equal(effective_sslmode(x->cfg, x->db, &host), SSLMODE_DISABLE);
}

static void test_effective_texts_and_words_inherit(void **state)
{
    struct fixture *x = *state;
    assert_string_equal(effective_sslrootcert(x->cfg, x->db), "");
    assert_string_equal(effective_auth_user(x->cfg, x->db), "");
    assert_string_equal(effective_auth_dbname(x->cfg, x->db), "");
    assert_ptr_equal(effective_auth_query(x->cfg, x->db), x->cfg->auth_query);
    assert_int_equal(effective_channel_binding(x->cfg, x->db), BINDING_PREFER);
    assert_int_equal(effective_sslnegotiation(x->cfg, x->db), SSLNEGOTIATION_POSTGRES);
    x->db->sslrootcert = xstrdup("/ca");
    x->db->auth_user = xstrdup("a");
    x->db->auth_query = xstrdup("b");
    x->db->auth_dbname = xstrdup("c");
    x->db->channel_binding = BINDING_REQUIRE;
    x->db->sslnegotiation = SSLNEGOTIATION_DIRECT;
    assert_string_equal(effective_sslrootcert(x->cfg, x->db), "/ca");
    assert_string_equal(effective_auth_user(x->cfg, x->db), "a");
    assert_string_equal(effective_auth_query(x->cfg, x->db), "b");
    assert_string_equal(effective_auth_dbname(x->cfg, x->db), "c");
    assert_int_equal(effective_channel_binding(x->cfg, x->db), BINDING_REQUIRE);
    assert_int_equal(effective_sslnegotiation(x->cfg, x->db), SSLNEGOTIATION_DIRECT);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_effective_sizes_follow_user_over_database_over_global),
        TEST(test_effective_limits_can_be_lifted_for_one_database_or_user),
        TEST(test_effective_timeouts_follow_the_same_order),
        TEST(test_effective_pauses_are_at_most_server_login_retry),
        TEST(test_effective_tls_of_a_socket_is_none),
        TEST(test_effective_texts_and_words_inherit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
