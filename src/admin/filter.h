/* SPDX-License-Identifier: PostgreSQL */
/* filter.h - which rows of a SHOW are wanted, and in which order.
 *
 *   clauses   = [ "WHERE" condition ] [ "ORDER BY" key *( "," key ) ]
 *               [ "LIMIT" ( number / "ALL" ) ] [ "OFFSET" number ]
 *   condition = conjunct *( "OR" conjunct )
 *   conjunct  = term *( "AND" term )
 *   term      = "NOT" term / "(" condition ")" / column test
 *   test      = ( "=" / "<>" / "!=" / "<" / "<=" / ">" / ">=" ) operand
 *             / [ "NOT" ] ( "LIKE" / "ILIKE" ) string
 *             / [ "NOT" ] "IN" "(" value *( "," value ) ")"
 *             / "IS" [ "NOT" ] "NULL"
 *   operand   = value / column
 *   value     = string / [ "-" ] number
 *   key       = ( column / position ) [ "ASC" / "DESC" ] [ "NULLS" ( "FIRST" / "LAST" ) ]
 *
 * Meanings are SQL's: comparing with NULL is neither true nor false, and only what is true is
 * shown. Texts are compared byte by byte, numbers by value. Everything is bounded, and a filter is
 * a plain value: it can be copied and owns nothing. */
#ifndef ADMIN_FILTER_H
#define ADMIN_FILTER_H

#include "admin/rows.h"
#include "base/error.h"
#include "base/span.h"

#define FILTER_NODES_MAX 64
#define FILTER_KEYS_MAX 8
#define FILTER_TEXT_MAX 512 /* of all strings together */

enum filter_op {
    FILTER_EQUAL,
    FILTER_DIFFERS,
    FILTER_LESS,
    FILTER_LESS_OR_EQUAL,
    FILTER_GREATER,
    FILTER_GREATER_OR_EQUAL,
    FILTER_LIKE,
    FILTER_ILIKE,
    FILTER_IS_NULL,
    FILTER_NOT, /* of what was computed last */
    FILTER_AND, /* of the last two */
    FILTER_OR,
};

enum filter_operand { FILTER_OPERAND_NUMBER, FILTER_OPERAND_TEXT, FILTER_OPERAND_COLUMN };

/* The condition, operands first. */
struct filter_node {
    uint8_t op;      /* enum filter_op */
    uint8_t operand; /* enum filter_operand */
    uint8_t column;
    uint8_t other;    /* COLUMN */
    uint16_t at, len; /* TEXT: where in the filter's text */
    int64_t number;   /* NUMBER */
};

struct filter_key {
    uint8_t column;
    bool descending, nulls_first;
};

/* All zeroes: every row, as it comes. */
struct filter {
    unsigned n_nodes; /* 0: every row */
    unsigned n_keys;  /* 0: in the order in which they come */
    bool has_limit;
    uint64_t limit, offset;
    struct filter_node nodes[FILTER_NODES_MAX];
    struct filter_key keys[FILTER_KEYS_MAX];
    size_t text_len;
    char text[FILTER_TEXT_MAX];
};

/* Reads the whole of `text`, which may be empty. */
bool filter_parse(struct span text, struct columns columns, struct filter *out, struct error *err)
    __attribute__((warn_unused_result));
/* Leaves in *r the rows that are wanted. The columns are those that it was parsed for. */
void filter_apply(const struct filter *f, struct rows *r);

/* SQL's LIKE: % is anything, _ one character, \ takes the meaning from what follows. */
bool filter_like(struct span text, struct span pattern, bool any_case);

#endif
