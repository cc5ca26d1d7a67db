/* SPDX-License-Identifier: PostgreSQL */
#include "proto/message.h"

#include "proto_fixture.h"

static void test_message_knows_exactly_the_letters_of_the_protocol(void **state)
{
    (void)state;
    static const char frontend[] = "BCDEFHPQSXcdfp";
    static const char backend[] = "123ACDEGHIKNRSTVWZcdnstv";
    for (int type = 0; type < 256; type++) {
        bool in_frontend = type && strchr(frontend, type);
        bool in_backend = type && strchr(backend, type);
        if ((message_frontend((uint8_t)type) != NULL) != in_frontend ||
            (message_backend((uint8_t)type) != NULL) != in_backend)
            fail_msg("type %02x", (unsigned)type);
    }
}

static void test_message_rows_are_where_their_letter_says(void **state)
{
    (void)state;
    for (int type = 0; type < 256; type++) {
        const struct message_row *both[] = {message_frontend((uint8_t)type),
                                            message_backend((uint8_t)type)};
        for (size_t i = 0; i < ROWS(both); i++) {
            if (!both[i])
                continue;
            assert_int_equal(both[i]->type, type);
            assert_true(both[i]->max_len >= 4 && both[i]->max_len <= MESSAGE_LEN_MAX);
        }
    }
}

static void test_message_that_can_be_large_is_never_taken_whole(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        bool from_backend;
        enum message_take take;
    } rows[] = {
        {FE_QUERY, false, MESSAGE_STREAM},         {FE_COPY_DATA, false, MESSAGE_STREAM},
        {FE_FUNCTION_CALL, false, MESSAGE_STREAM}, {FE_BIND, false, MESSAGE_HEAD},
        {FE_PARSE, false, MESSAGE_WHOLE},          {FE_DESCRIBE, false, MESSAGE_WHOLE},
        {BE_DATA_ROW, true, MESSAGE_STREAM},       {BE_COPY_DATA, true, MESSAGE_STREAM},
        {BE_ERROR, true, MESSAGE_WHOLE},           {BE_READY_FOR_QUERY, true, MESSAGE_WHOLE},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        const struct message_row *row =
            rows[i].from_backend ? message_backend(rows[i].type) : message_frontend(rows[i].type);
        assert_non_null(row);
        if (row->take != rows[i].take)
            fail_msg("%s", row->name);
        /* What is gathered is bounded; only what streams may have the largest size. */
        if ((row->max_len == MESSAGE_LEN_MAX) != (row->take != MESSAGE_WHOLE))
            fail_msg("%s", row->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_knows_exactly_the_letters_of_the_protocol),
        cmocka_unit_test(test_message_rows_are_where_their_letter_says),
        cmocka_unit_test(test_message_that_can_be_large_is_never_taken_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
