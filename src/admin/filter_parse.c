/* SPDX-License-Identifier: PostgreSQL */
/* filter_parse.c - WHERE, ORDER BY and LIMIT: text to struct, by recursive descent. */
#include "admin/filter.h"
#include "admin/token.h"

#include "base/str.h"

#include <stdio.h>

#define SQLSTATE_SYNTAX_ERROR "42601"
#define SQLSTATE_UNDEFINED_COLUMN "42703"
#define SQLSTATE_DATATYPE_MISMATCH "42804"
#define SQLSTATE_TOO_COMPLEX "54001"

/* Brackets and NOTs inside one another. */
#define DEPTH_MAX 32

struct parse {
    struct span rest;
    struct token t; /* the one that is looked at */
    struct columns columns;
    struct filter *out;
    struct error *err;
    unsigned depth;
};

/* ---- words ----------------------------------------------------------------------------- */

static void advance(struct parse *p)
{
    p->t = token_next(&p->rest);
}

static bool take_word(struct parse *p, const char *word)
{
    if (!token_is(&p->t, word))
        return false;
    advance(p);
    return true;
}

static bool take_sign(struct parse *p, enum token_kind kind)
{
    if (p->t.kind != kind)
        return false;
    advance(p);
    return true;
}

/* The beginning of the word that is looked at. */
struct near_text {
    char text[48];
};

static struct near_text near(const struct parse *p)
{
    struct near_text out;
    size_t n = p->t.text.n < sizeof out.text - 1 ? p->t.text.n : sizeof out.text - 1;
    if (n)
        memcpy(out.text, p->t.text.p, n);
    out.text[n] = '\0';
    return out;
}

static bool unexpected(struct parse *p)
{
    if (p->t.kind == TOKEN_END)
        return error_set(p->err, SQLSTATE_SYNTAX_ERROR, "syntax error at end of input");
    return error_set(p->err, SQLSTATE_SYNTAX_ERROR, "syntax error at or near \"%s\"", near(p).text);
}

static bool too_complex(struct parse *p)
{
    return error_set(p->err, SQLSTATE_TOO_COMPLEX, "the condition is too long");
}

/* ---- columns and values ---------------------------------------------------------------- */

static bool find_column(const struct parse *p, const struct token *t, uint8_t *out)
{
    char name[64];
    if (!token_is_name(t) || !token_copy(t, name, sizeof name))
        return false;
    for (uint8_t i = 0; i < p->columns.n; i++) {
        const char *title = p->columns.at[i].name;
        if (t->kind == TOKEN_WORD ? span_is_nocase(t->text, title) : strcmp(name, title) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool take_column(struct parse *p, uint8_t *out)
{
    if (!token_is_name(&p->t))
        return unexpected(p);
    if (!find_column(p, &p->t, out))
        return error_set(p->err, SQLSTATE_UNDEFINED_COLUMN,
                         "column \"%s\" does not exist (texts stand in single quotes)",
                         near(p).text);
    advance(p);
    return true;
}

static bool is_number(const struct token *t)
{
    return t->kind == TOKEN_WORD && t->text.p[0] >= '0' && t->text.p[0] <= '9';
}

static bool take_number(struct parse *p, int64_t min, int64_t *out)
{
    char digits[24];
    bool minus = min < 0 && take_sign(p, TOKEN_MINUS);
    if (!is_number(&p->t))
        return unexpected(p);
    digits[0] = minus ? '-' : '0';
    if (!token_copy(&p->t, digits + 1, sizeof digits - 1) ||
        !str_to_i64(digits, min, INT64_MAX, out))
        return error_set(p->err, SQLSTATE_SYNTAX_ERROR, "\"%s\" is no number that can be used here",
                         near(p).text);
    advance(p);
    return true;
}

static bool take_string(struct parse *p, struct filter_node *node)
{
    struct filter *f = p->out;
    if (p->t.kind != TOKEN_STRING)
        return unexpected(p);
    if (!token_copy(&p->t, f->text + f->text_len, sizeof f->text - f->text_len))
        return too_complex(p);
    node->operand = FILTER_OPERAND_TEXT;
    node->at = (uint16_t)f->text_len;
    node->len = (uint16_t)strlen(f->text + f->text_len);
    f->text_len += node->len;
    advance(p);
    return true;
}

static bool compares_numbers(const struct parse *p, uint8_t column)
{
    return p->columns.at[column].field == COLUMN_NUMBER;
}

/* '5' is a number where the column is one, as in SQL. */
static bool number_of_string(struct parse *p, struct filter_node *node)
{
    char digits[24];
    struct span text = span_of(p->out->text + node->at, node->len);
    if (!span_to_str(text, digits, sizeof digits) ||
        !str_to_i64(digits, INT64_MIN, INT64_MAX, &node->number))
        return error_set(p->err, SQLSTATE_DATATYPE_MISMATCH, "column \"%s\" is a number",
                         p->columns.at[node->column].name);
    node->operand = FILTER_OPERAND_NUMBER;
    return true;
}

static bool take_value(struct parse *p, struct filter_node *node)
{
    bool numbers = compares_numbers(p, node->column);
    if (p->t.kind == TOKEN_STRING)
        return take_string(p, node) && (!numbers || number_of_string(p, node));
    node->operand = FILTER_OPERAND_NUMBER;
    if (!take_number(p, INT64_MIN, &node->number))
        return false;
    return numbers || error_set(p->err, SQLSTATE_DATATYPE_MISMATCH,
                                "column \"%s\" is a text, which is compared with '...'",
                                p->columns.at[node->column].name);
}

static bool take_operand(struct parse *p, struct filter_node *node)
{
    if (!token_is_name(&p->t) || is_number(&p->t))
        return take_value(p, node);
    node->operand = FILTER_OPERAND_COLUMN;
    if (!take_column(p, &node->other))
        return false;
    return compares_numbers(p, node->column) == compares_numbers(p, node->other) ||
           error_set(p->err, SQLSTATE_DATATYPE_MISMATCH,
                     "columns \"%s\" and \"%s\" cannot be compared",
                     p->columns.at[node->column].name, p->columns.at[node->other].name);
}

/* ---- conditions ------------------------------------------------------------------------ */

static bool add_node(struct parse *p, const struct filter_node *node)
{
    if (p->out->n_nodes == FILTER_NODES_MAX)
        return too_complex(p);
    p->out->nodes[p->out->n_nodes++] = *node;
    return true;
}

static bool add_op(struct parse *p, enum filter_op op)
{
    struct filter_node node = {.op = (uint8_t)op};
    return add_node(p, &node);
}

static bool find_comparison(enum token_kind kind, uint8_t *op)
{
    static const struct {
        enum token_kind kind;
        enum filter_op op;
    } table[] = {
        {TOKEN_EQUALS, FILTER_EQUAL},    {TOKEN_DIFFERS, FILTER_DIFFERS},
        {TOKEN_LESS, FILTER_LESS},       {TOKEN_LESS_OR_EQUAL, FILTER_LESS_OR_EQUAL},
        {TOKEN_GREATER, FILTER_GREATER}, {TOKEN_GREATER_OR_EQUAL, FILTER_GREATER_OR_EQUAL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].kind == kind) {
            *op = (uint8_t)table[i].op;
            return true;
        }
    }
    return false;
}

/* a IN (x, y) is a = x OR a = y. */
static bool take_list(struct parse *p, uint8_t column)
{
    if (!take_sign(p, TOKEN_OPEN))
        return unexpected(p);
    for (unsigned n = 0;; n++) {
        struct filter_node node = {.op = FILTER_EQUAL, .column = column};
        if (!take_value(p, &node) || !add_node(p, &node) || (n && !add_op(p, FILTER_OR)))
            return false;
        if (take_sign(p, TOKEN_CLOSE))
            return true;
        if (!take_sign(p, TOKEN_COMMA))
            return unexpected(p);
    }
}

static bool take_is_null(struct parse *p, uint8_t column)
{
    struct filter_node node = {.op = FILTER_IS_NULL, .column = column};
    bool not = take_word(p, "not");
    if (!take_word(p, "null"))
        return unexpected(p);
    return add_node(p, &node) && (!not || add_op(p, FILTER_NOT));
}

static bool take_like(struct parse *p, uint8_t column, enum filter_op op)
{
    struct filter_node node = {.op = (uint8_t)op, .column = column};
    return take_string(p, &node) && add_node(p, &node);
}

static bool take_test(struct parse *p)
{
    struct filter_node node = {0};
    if (!take_column(p, &node.column))
        return false;
    if (find_comparison(p->t.kind, &node.op)) {
        advance(p);
        return take_operand(p, &node) && add_node(p, &node);
    }
    if (take_word(p, "is"))
        return take_is_null(p, node.column);
    bool not = take_word(p, "not"), ok;
    if (take_word(p, "like"))
        ok = take_like(p, node.column, FILTER_LIKE);
    else if (take_word(p, "ilike"))
        ok = take_like(p, node.column, FILTER_ILIKE);
    else if (take_word(p, "in"))
        ok = take_list(p, node.column);
    else
        ok = unexpected(p);
    return ok && (!not || add_op(p, FILTER_NOT));
}

static bool take_condition(struct parse *p);

static bool take_term(struct parse *p)
{
    bool ok;
    if (++p->depth > DEPTH_MAX)
        return too_complex(p);
    if (take_word(p, "not"))
        ok = take_term(p) && add_op(p, FILTER_NOT);
    else if (take_sign(p, TOKEN_OPEN))
        ok = take_condition(p) && (take_sign(p, TOKEN_CLOSE) || unexpected(p));
    else
        ok = take_test(p);
    p->depth--;
    return ok;
}

static bool take_conjunct(struct parse *p)
{
    if (!take_term(p))
        return false;
    while (take_word(p, "and")) {
        if (!take_term(p) || !add_op(p, FILTER_AND))
            return false;
    }
    return true;
}

static bool take_condition(struct parse *p)
{
    if (!take_conjunct(p))
        return false;
    while (take_word(p, "or")) {
        if (!take_conjunct(p) || !add_op(p, FILTER_OR))
            return false;
    }
    return true;
}

/* ---- order and number ------------------------------------------------------------------ */

static bool take_key_column(struct parse *p, uint8_t *out)
{
    int64_t position;
    if (!is_number(&p->t))
        return take_column(p, out);
    if (!take_number(p, 0, &position))
        return false;
    if (position < 1 || position > p->columns.n)
        return error_set(p->err, SQLSTATE_UNDEFINED_COLUMN,
                         "ORDER BY position %lld is not a column", (long long)position);
    *out = (uint8_t)(position - 1);
    return true;
}

/* In PostgreSQL, NULL is larger than everything. */
static bool take_key(struct parse *p)
{
    struct filter_key key = {0};
    if (p->out->n_keys == FILTER_KEYS_MAX)
        return too_complex(p);
    if (!take_key_column(p, &key.column))
        return false;
    key.descending = take_word(p, "desc");
    if (!key.descending)
        (void)take_word(p, "asc");
    key.nulls_first = key.descending;
    if (take_word(p, "nulls")) {
        key.nulls_first = take_word(p, "first");
        if (!key.nulls_first && !take_word(p, "last"))
            return unexpected(p);
    }
    p->out->keys[p->out->n_keys++] = key;
    return true;
}

static bool take_order(struct parse *p)
{
    if (!take_word(p, "by"))
        return unexpected(p);
    do {
        if (!take_key(p))
            return false;
    } while (take_sign(p, TOKEN_COMMA));
    return true;
}

static bool take_limit(struct parse *p)
{
    int64_t n;
    if (take_word(p, "all"))
        return true;
    if (!take_number(p, 0, &n))
        return false;
    p->out->has_limit = true;
    p->out->limit = (uint64_t)n;
    return true;
}

static bool take_offset(struct parse *p)
{
    int64_t n;
    if (!take_number(p, 0, &n))
        return false;
    p->out->offset = (uint64_t)n;
    return true;
}

bool filter_parse(struct span text, struct columns columns, struct filter *out, struct error *err)
{
    struct parse p = {.rest = text, .columns = columns, .out = out, .err = err};
    *out = (struct filter){0};
    advance(&p);
    if (take_word(&p, "where") && !take_condition(&p))
        return false;
    if (take_word(&p, "order") && !take_order(&p))
        return false;
    if (take_word(&p, "limit") && !take_limit(&p))
        return false;
    if (take_word(&p, "offset") && !take_offset(&p))
        return false;
    return p.t.kind == TOKEN_END || unexpected(&p);
}
