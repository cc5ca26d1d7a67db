/* SPDX-License-Identifier: PostgreSQL */
/* canned_settings.c - the parameters that the canned server reports, and SET.
 *
 *     SET [SESSION | LOCAL] name { = | TO } { 'value' | value }
 *     RESET name
 *     DISCARD ALL
 *
 * Nothing is stored: values are reported back as they come. */
#include "canned_settings.h"

#include "wire.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 128

static const struct parameter {
    const char *name, *initial;
} parameters[] = {
    {"application_name", NULL}, /* as the start-up packet says */
    {"client_encoding", "UTF8"},
    {"DateStyle", "ISO, MDY"},
    {"default_transaction_read_only", "off"},
    {"in_hot_standby", "off"},
    {"integer_datetimes", "on"},
    {"IntervalStyle", "postgres"},
    {"is_superuser", "off"},
    {"server_encoding", "UTF8"},
    {"server_version", "15.18"},
    {"session_authorization", "bench"},
    {"standard_conforming_strings", "on"},
    {"TimeZone", "Etc/UTC"},
};
#define N_PARAMETERS (sizeof(parameters) / sizeof(parameters[0]))

static void report(struct bytes *out, const char *name, const char *value)
{
    size_t begin = wire_begin(out, 'S');

    wire_put_string(out, name);
    wire_put_string(out, value);
    wire_end(out, begin);
}

static const char *initial_value(const struct parameter *p, const char *application_name)
{
    return p->initial != NULL ? p->initial : application_name;
}

void settings_report_all(struct bytes *out, const char *application_name)
{
    for (size_t i = 0; i < N_PARAMETERS; i++)
        report(out, parameters[i].name, initial_value(&parameters[i], application_name));
}

static const struct parameter *find_parameter(const char *name)
{
    for (size_t i = 0; i < N_PARAMETERS; i++) {
        if (strcasecmp(parameters[i].name, name) == 0)
            return &parameters[i];
    }
    return NULL;
}

/* Takes a name, a quoted name or a quoted literal; doubled quotes stand for one. */
static void take_word(const char **text, char word[WORD_MAX])
{
    const char *p = *text;
    size_t n = 0;

    while (isspace((unsigned char)*p) || *p == '=')
        p++;
    char quote = *p == '\'' || *p == '"' ? *p++ : '\0';
    for (; *p != '\0' && n < WORD_MAX - 1; p++) {
        if (quote != '\0' && *p == quote && *++p != quote)
            break;
        if (quote == '\0' && (isspace((unsigned char)*p) || *p == '=' || *p == ';'))
            break;
        word[n++] = *p;
    }
    word[n] = '\0';
    *text = p;
}

/* Takes the word if it is the next one. */
static bool take_keyword(const char **text, const char *keyword)
{
    const char *p = *text;
    char word[WORD_MAX];

    take_word(&p, word);
    if (strcasecmp(word, keyword) != 0)
        return false;
    *text = p;
    return true;
}

bool settings_is_command(const char *statement)
{
    return take_keyword(&statement, "SET") || take_keyword(&statement, "RESET") ||
           take_keyword(&statement, "DISCARD");
}

const char *settings_run(struct bytes *out, const char *application_name, const char *statement)
{
    char name[WORD_MAX], value[WORD_MAX];

    if (take_keyword(&statement, "DISCARD"))
        return "DISCARD ALL";
    if (take_keyword(&statement, "RESET")) {
        take_word(&statement, name);
        const struct parameter *p = find_parameter(name);
        if (p != NULL)
            report(out, p->name, initial_value(p, application_name));
        return "RESET";
    }
    take_keyword(&statement, "SET");
    if (!take_keyword(&statement, "SESSION"))
        take_keyword(&statement, "LOCAL");
    take_word(&statement, name);
    take_keyword(&statement, "TO");
    take_word(&statement, value);
    const struct parameter *p = find_parameter(name);
    if (p != NULL)
        report(out, p->name, value);
    return "SET";
}
