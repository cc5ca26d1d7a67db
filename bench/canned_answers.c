/* SPDX-License-Identifier: PostgreSQL */
/* canned_answers.c - the backend messages of the canned server. */
#include "canned_answers.h"

#include "canned_settings.h"

void answer_ready(struct bytes *out, char status)
{
    size_t begin = wire_begin(out, 'Z');

    bytes_add(out, &status, 1);
    wire_end(out, begin);
}

void answer_complete(struct bytes *out, const char *tag)
{
    size_t begin = wire_begin(out, 'C');

    wire_put_string(out, tag);
    wire_end(out, begin);
}

void answer_row_description(struct bytes *out, const char *name, enum answer_type type)
{
    size_t begin = wire_begin(out, 'T');

    wire_put16(out, 1);
    wire_put_string(out, name);
    wire_put32(out, 0); /* table */
    wire_put16(out, 0); /* attribute */
    wire_put32(out, type);
    wire_put16(out, type == ANSWER_INT4 ? 4 : UINT16_MAX); /* size; -1 is variable */
    wire_put32(out, UINT32_MAX);                           /* no type modifier */
    wire_put16(out, 0);                                    /* text format */
    wire_end(out, begin);
}

void answer_row(struct bytes *out, const char *text, size_t len)
{
    size_t begin = wire_begin(out, 'D');

    wire_put16(out, 1);
    wire_put32(out, (uint32_t)len);
    bytes_add(out, text, len);
    wire_end(out, begin);
}

void answer_copy(struct bytes *out, char letter)
{
    size_t begin = wire_begin(out, letter);

    bytes_add(out, "", 1); /* text, as a whole */
    wire_put16(out, 1);
    wire_put16(out, 0); /* and the column */
    wire_end(out, begin);
}

void answer_parameter_description(struct bytes *out)
{
    size_t begin = wire_begin(out, 't');

    wire_put16(out, 1);
    wire_put32(out, ANSWER_INT4);
    wire_end(out, begin);
}

void answer_statement_description(struct bytes *out)
{
    answer_row_description(out, "abalance", ANSWER_INT4);
}

void answer_statement_rows(struct bytes *out)
{
    answer_row(out, "0", 1);
    answer_complete(out, "SELECT 1");
}

void answer_error(struct bytes *out, const char *severity, const char *sqlstate, const char *text)
{
    size_t begin = wire_begin(out, 'E');
    const struct {
        char field;
        const char *value;
    } fields[] = {{'S', severity}, {'V', severity}, {'C', sqlstate}, {'M', text}};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        bytes_add(out, &fields[i].field, 1);
        wire_put_string(out, fields[i].value);
    }
    bytes_add(out, "", 1);
    wire_end(out, begin);
}

void answer_welcome(struct bytes *out, const char *application_name)
{
    static uint32_t next_pid = 1000;

    size_t begin = wire_begin(out, 'R');
    wire_put32(out, 0);
    wire_end(out, begin);
    settings_report_all(out, application_name);
    begin = wire_begin(out, 'K');
    wire_put32(out, next_pid++);
    wire_put32(out, 0x5ca1ab1e);
    wire_end(out, begin);
    answer_ready(out, 'I');
}
