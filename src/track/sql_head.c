/* SPDX-License-Identifier: PostgreSQL */
/* sql_head.c - what a statement is, from its first words. */
#include "track/sql_head.h"

#include "base/str.h"

/* ---- the lexer ------------------------------------------------------------------------- */

enum token_kind {
    TOKEN_END, /* of the text; a word that ends here may be cut */
    TOKEN_WORD,
    TOKEN_QUOTED, /* "name", without doubled quotes; the span is what is inside */
    TOKEN_SIGN,   /* one byte of anything else */
    TOKEN_BROKEN, /* the text ends inside a comment or a quoted name */
};

struct token {
    enum token_kind kind;
    struct span text;
    bool at_end; /* nothing follows it: it may have been cut */
};

struct lexer {
    const uint8_t *at, *end;
};

static struct lexer lexer_of(struct span text)
{
    const uint8_t *nul = text.n ? memchr(text.p, 0, text.n) : NULL;
    return (struct lexer){.at = text.p, .end = nul ? nul : text.n ? text.p + text.n : text.p};
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* scan.l: ident_start [A-Za-z\200-\377_] */
static bool starts_word(uint8_t c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c >= 0x80;
}

/* scan.l: ident_cont [A-Za-z\200-\377_0-9\$] */
static bool continues_word(uint8_t c)
{
    return starts_word(c) || (c >= '0' && c <= '9') || c == '$';
}

static bool sees(const struct lexer *l, uint8_t a, uint8_t b)
{
    return l->end - l->at >= 2 && l->at[0] == a && l->at[1] == b;
}

static void skip_line(struct lexer *l)
{
    while (l->at < l->end && *l->at != '\n' && *l->at != '\r')
        l->at++;
}

/* Comments nest, as in the SQL standard. False if the text ends inside. */
static bool skip_comment(struct lexer *l)
{
    size_t depth = 0;
    do {
        if (sees(l, '/', '*')) {
            depth++;
            l->at += 2;
        } else if (sees(l, '*', '/')) {
            depth--;
            l->at += 2;
        } else if (l->at < l->end) {
            l->at++;
        } else {
            return false;
        }
    } while (depth);
    return true;
}

/* To the next byte that means something. False if the text ends inside a comment. */
static bool skip_blanks(struct lexer *l)
{
    for (;;) {
        while (l->at < l->end && is_blank(*l->at))
            l->at++;
        if (sees(l, '-', '-'))
            skip_line(l);
        else if (!sees(l, '/', '*'))
            return true;
        else if (!skip_comment(l))
            return false;
    }
}

static struct token quoted_name(struct lexer *l)
{
    const uint8_t *from = l->at + 1;
    const uint8_t *to = memchr(from, '"', (size_t)(l->end - from));
    if (!to || (to + 1 < l->end && to[1] == '"'))
        return (struct token){.kind = TOKEN_BROKEN};
    l->at = to + 1;
    return (struct token){.kind = TOKEN_QUOTED,
                          .text = span_of(from, (size_t)(to - from)),
                          .at_end = l->at == l->end};
}

static struct token next_token(struct lexer *l)
{
    if (!skip_blanks(l))
        return (struct token){.kind = TOKEN_BROKEN};
    if (l->at == l->end)
        return (struct token){.kind = TOKEN_END};
    if (*l->at == '"')
        return quoted_name(l);
    const uint8_t *from = l->at++;
    enum token_kind kind = TOKEN_SIGN;
    if (starts_word(*from)) {
        kind = TOKEN_WORD;
        while (l->at < l->end && continues_word(*l->at))
            l->at++;
    }
    return (struct token){
        .kind = kind, .text = span_of(from, (size_t)(l->at - from)), .at_end = l->at == l->end};
}

static bool is_word(const struct token *t, const char *word)
{
    return t->kind == TOKEN_WORD && span_is_nocase(t->text, word);
}

static bool is_sign(const struct token *t, char sign)
{
    return t->kind == TOKEN_SIGN && t->text.p[0] == (uint8_t)sign;
}

/* The first token that is not an empty statement's semicolon. */
static struct token first_token(struct lexer *l)
{
    struct token t;
    do {
        t = next_token(l);
    } while (is_sign(&t, ';'));
    return t;
}

/* ---- may it follow commands of ours? --------------------------------------------------- */

/* Is the word in a list that ends with NULL? */
static bool is_one_of(const struct token *t, const char *const *words)
{
    for (; *words; words++) {
        if (is_word(t, *words))
            return true;
    }
    return false;
}

/* Safe whatever follows. ANALYZE is not here: it commits table by table, unless in a pipeline. */
static const char *const plain[] = {
    "SELECT", "INSERT",   "UPDATE",     "DELETE",   "WITH",    "BEGIN", "START",  "VALUES",
    "SHOW",   "COPY",     "MERGE",      "EXPLAIN",  "TABLE",   "RESET", "FETCH",  "MOVE",
    "CLOSE",  "LISTEN",   "NOTIFY",     "UNLISTEN", "EXECUTE", "GRANT", "REVOKE", "COMMENT",
    "LOAD",   "TRUNCATE", "DEALLOCATE", "REFRESH",  NULL,
};

/* Objects that are created, altered and dropped inside transactions in every version. */
static const char *const created[] = {
    "TABLE",     "VIEW",      "FUNCTION",  "PROCEDURE",  "SCHEMA",       "SEQUENCE",
    "TYPE",      "TRIGGER",   "RULE",      "POLICY",     "ROLE",         "USER",
    "GROUP",     "DOMAIN",    "EXTENSION", "OR",         "UNLOGGED",     "TEMP",
    "TEMPORARY", "AGGREGATE", "CAST",      "STATISTICS", "MATERIALIZED", NULL,
};
/* Not TABLE (DETACH PARTITION CONCURRENTLY), not TYPE (ADD VALUE, before PostgreSQL 12). */
static const char *const altered[] = {
    "ROLE",   "USER",   "GROUP",  "SEQUENCE", "VIEW", "FUNCTION",
    "SCHEMA", "POLICY", "DOMAIN", "DEFAULT",  NULL,
};
static const char *const dropped[] = {
    "TABLE",     "VIEW",      "FUNCTION", "PROCEDURE",  "SCHEMA",       "SEQUENCE", "TYPE",
    "TRIGGER",   "RULE",      "POLICY",   "ROLE",       "USER",         "GROUP",    "DOMAIN",
    "EXTENSION", "AGGREGATE", "CAST",     "STATISTICS", "MATERIALIZED", NULL,
};
/* Of a transaction: outside of one they warn and do nothing, in a pipeline they don't warn. */
static const char *const transaction_only[] = {"LOCAL", "TRANSACTION", "CONSTRAINTS", NULL};

/* A word that is all there and may be relied upon. */
static bool is_whole_word(const struct token *t)
{
    return t->kind == TOKEN_WORD && !t->at_end;
}

/* Behind INDEX: what follows is a name, IF, ON; anything but CONCURRENTLY. */
static bool is_plain_index(struct lexer *l)
{
    struct token t = next_token(l);
    if (t.kind == TOKEN_QUOTED)
        return !t.at_end;
    return is_whole_word(&t) && !is_word(&t, "CONCURRENTLY");
}

static bool is_safe_create(struct lexer *l)
{
    struct token t = next_token(l);
    if (is_word(&t, "UNIQUE"))
        t = next_token(l);
    if (is_word(&t, "INDEX"))
        return is_plain_index(l);
    return is_whole_word(&t) && is_one_of(&t, created);
}

static bool is_safe_drop(struct lexer *l)
{
    struct token t = next_token(l);
    if (is_word(&t, "INDEX"))
        return is_plain_index(l);
    return is_whole_word(&t) && is_one_of(&t, dropped);
}

static bool is_safe_alter(struct lexer *l)
{
    struct token t = next_token(l);
    return is_whole_word(&t) && is_one_of(&t, altered);
}

/* SET and PREPARE, except in front of words that make them commands about the transaction. */
static bool is_safe_unless_transaction(struct lexer *l)
{
    struct token t = next_token(l);
    return t.kind == TOKEN_QUOTED || (is_whole_word(&t) && !is_one_of(&t, transaction_only));
}

enum sql_gate sql_head_class(struct span text)
{
    struct lexer l = lexer_of(text);
    struct token t = first_token(&l);
    /* (SELECT ...) UNION ... */
    while (is_sign(&t, '('))
        t = next_token(&l);
    bool safe = false;
    if (t.kind != TOKEN_WORD)
        safe = false;
    else if (is_one_of(&t, plain))
        safe = true;
    else if (is_word(&t, "SET") || is_word(&t, "PREPARE"))
        safe = is_safe_unless_transaction(&l);
    else if (is_word(&t, "CREATE"))
        safe = is_safe_create(&l);
    else if (is_word(&t, "DROP"))
        safe = is_safe_drop(&l);
    else if (is_word(&t, "ALTER"))
        safe = is_safe_alter(&l);
    return safe ? SQL_GATE_SAFE : SQL_GATE_UNSAFE;
}

/* ---- exact commands -------------------------------------------------------------------- */

/* Nothing but semicolons from here (the token just read included). */
static bool is_rest_empty(struct lexer *l, struct token t)
{
    while (is_sign(&t, ';'))
        t = next_token(l);
    return t.kind == TOKEN_END;
}

/* BEGIN and START TRANSACTION are followed by words and commas only. */
static enum sql_command begin_command(struct lexer *l, struct token t)
{
    while (t.kind == TOKEN_WORD || is_sign(&t, ','))
        t = next_token(l);
    return is_rest_empty(l, t) ? SQL_BEGIN : SQL_OTHER;
}

/* [WORK | TRANSACTION] [AND NO CHAIN]; `other` is what anything else makes of it. */
static enum sql_command end_command(struct lexer *l, enum sql_command command,
                                    enum sql_command other)
{
    struct token t = next_token(l);
    if (is_word(&t, "WORK") || is_word(&t, "TRANSACTION"))
        t = next_token(l);
    if (is_word(&t, "AND")) {
        struct token no = next_token(l), chain = next_token(l);
        if (!is_word(&no, "NO") || !is_word(&chain, "CHAIN"))
            return other;
        t = next_token(l);
    }
    return is_rest_empty(l, t) ? command : other;
}

static enum sql_command discard_command(struct lexer *l)
{
    struct token all = next_token(l);
    return is_word(&all, "ALL") && is_rest_empty(l, next_token(l)) ? SQL_DISCARD_ALL : SQL_OTHER;
}

/* DEALLOCATE [PREPARE] { name | ALL }, where PREPARE alone is a name. */
static enum sql_command deallocate_command(struct lexer *l, struct span *name_out, bool *quoted_out)
{
    struct token name = next_token(l);
    struct token after = next_token(l);
    if (is_word(&name, "PREPARE") && (after.kind == TOKEN_WORD || after.kind == TOKEN_QUOTED)) {
        name = after;
        after = next_token(l);
    }
    if ((name.kind != TOKEN_WORD && name.kind != TOKEN_QUOTED) || !is_rest_empty(l, after))
        return SQL_OTHER;
    if (is_word(&name, "ALL"))
        return SQL_DEALLOCATE_ALL;
    if (name_out)
        *name_out = name.text;
    if (quoted_out)
        *quoted_out = name.kind == TOKEN_QUOTED;
    return SQL_DEALLOCATE;
}

static enum sql_command start_command(struct lexer *l)
{
    struct token t = next_token(l);
    return is_word(&t, "TRANSACTION") ? begin_command(l, next_token(l)) : SQL_OTHER;
}

enum sql_command sql_head_command(struct span text, struct span *name_out, bool *quoted_out)
{
    struct lexer l = lexer_of(text);
    struct token t = first_token(&l);
    if (t.kind == TOKEN_END)
        return SQL_EMPTY;
    if (is_word(&t, "BEGIN"))
        return begin_command(&l, next_token(&l));
    if (is_word(&t, "START"))
        return start_command(&l);
    if (is_word(&t, "COMMIT") || is_word(&t, "END"))
        return end_command(&l, SQL_COMMIT, SQL_CALL);
    if (is_word(&t, "ROLLBACK") || is_word(&t, "ABORT"))
        return end_command(&l, SQL_ROLLBACK, SQL_SET);
    if (is_word(&t, "DISCARD"))
        return discard_command(&l);
    if (is_word(&t, "DEALLOCATE"))
        return deallocate_command(&l, name_out, quoted_out);
    if (is_word(&t, "SET") || is_word(&t, "RESET"))
        return SQL_SET;
    return is_word(&t, "CALL") || is_word(&t, "DO") ? SQL_CALL : SQL_OTHER;
}

/* ---- RESET ----------------------------------------------------------------------------- */

static bool is_name(const struct token *t)
{
    return t->kind == TOKEN_WORD || t->kind == TOKEN_QUOTED;
}

/* A setting's name, of which the first token is read: name, prefix.name, or words of the grammar.
 * Returns what follows it. */
static struct token setting_name(struct lexer *l, struct token first, struct span *name_out)
{
    struct token t = next_token(l);
    *name_out = first.text;
    if (is_word(&first, "TIME") && is_word(&t, "ZONE")) {
        *name_out = span_str("TimeZone");
        return next_token(l);
    }
    if (is_word(&first, "SESSION") && is_word(&t, "AUTHORIZATION")) {
        *name_out = span_str("session_authorization");
        return next_token(l);
    }
    while (first.kind == TOKEN_WORD && is_sign(&t, '.')) {
        struct token part = next_token(l);
        if (part.kind != TOKEN_WORD)
            return (struct token){.kind = TOKEN_BROKEN};
        *name_out = span_of(first.text.p, (size_t)(part.text.p + part.text.n - first.text.p));
        t = next_token(l);
    }
    return t;
}

/* SET [SESSION] name { TO | = } DEFAULT */
static enum sql_reset set_default(struct lexer *l, struct span *name_out)
{
    struct token name = next_token(l);
    if (is_word(&name, "LOCAL"))
        return SQL_RESETS_NOTHING;
    if (is_word(&name, "SESSION")) {
        struct lexer ahead = *l;
        struct token next = next_token(&ahead);
        if (is_name(&next) && !is_word(&next, "AUTHORIZATION"))
            name = next_token(l);
    }
    if (!is_name(&name))
        return SQL_RESETS_NOTHING;
    struct token t = setting_name(l, name, name_out);
    if (is_word(&t, "TO") || is_sign(&t, '='))
        t = next_token(l);
    return is_word(&t, "DEFAULT") && is_rest_empty(l, next_token(l)) ? SQL_RESETS_ONE
                                                                     : SQL_RESETS_NOTHING;
}

enum sql_reset sql_head_reset(struct span text, struct span *name_out)
{
    struct lexer l = lexer_of(text);
    struct token t = first_token(&l);
    if (is_word(&t, "SET"))
        return set_default(&l, name_out);
    bool discards = is_word(&t, "DISCARD");
    if (!discards && !is_word(&t, "RESET"))
        return SQL_RESETS_NOTHING;
    t = next_token(&l);
    if (discards)
        return is_word(&t, "ALL") ? SQL_RESETS_ALL : SQL_RESETS_NOTHING;
    if (!is_name(&t))
        return SQL_RESETS_UNKNOWN;
    bool all = is_word(&t, "ALL");
    if (!is_rest_empty(&l, setting_name(&l, t, name_out)))
        return SQL_RESETS_UNKNOWN;
    return all ? SQL_RESETS_ALL : SQL_RESETS_ONE;
}

/* Takes blanks and the word, or the sign, off the end; false if it does not stand there. */
static bool take_back(struct span *text, const char *word)
{
    size_t n = strlen(word);
    while (text->n && is_blank(text->p[text->n - 1]))
        text->n--;
    if (text->n < n || !span_is_nocase(span_of(text->p + text->n - n, n), word))
        return false;
    text->n -= n;
    return true;
}

/* What is open at the end, a string or a comment in slashes, would make the text invalid. A comment
 * that ends with its line would not. */
bool sql_ends_with_reset_all(struct span text)
{
    while (text.n && text.p[text.n - 1] == '\0')
        text.n--;
    while (take_back(&text, ";"))
        continue;
    if (!take_back(&text, "ALL") || !text.n || !is_blank(text.p[text.n - 1]) ||
        !take_back(&text, "RESET") || !take_back(&text, ";"))
        return false;
    for (size_t i = text.n; i && text.p[i - 1] != '\n' && text.p[i - 1] != '\r'; i--) {
        if (text.p[i - 1] == '-')
            return false;
    }
    return true;
}
