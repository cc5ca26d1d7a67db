/* SPDX-License-Identifier: PostgreSQL */
/* canned_session.c - one session of the canned server. */
#include "canned_session.h"

#include "canned_answers.h"
#include "canned_settings.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ROW_BYTES_MAX 8192U
#define PACKET_MIN 8U

/* Lengths of a DataRow's and a CopyData's head in the rows of a stream. */
#define DATA_ROW_HEAD 11U
#define COPY_DATA_HEAD 5U

static bool starts_with(const char *text, const char *word)
{
    return strncasecmp(text, word, strlen(word)) == 0;
}

/* ---- start-up ---- */

/* Pairs of strings, then an empty one. False if it is not that. */
static bool take_parameters(struct session *s, const char *p, const char *end)
{
    if (end <= p || end[-1] != '\0')
        return false;
    while (*p != '\0') {
        const char *value = p + strlen(p) + 1;
        if (value >= end)
            return false;
        if (strcmp(p, "application_name") == 0)
            snprintf(s->application_name, sizeof(s->application_name), "%s", value);
        p = value + strlen(value) + 1;
        if (p >= end)
            return false;
    }
    return true;
}

static enum session_result take_packet(struct session *s, const uint8_t *packet, uint32_t len)
{
    switch (wire_get32(packet + 4)) {
    case WIRE_SSL_REQUEST:
        return SESSION_WANTS_TLS;
    case WIRE_GSSENC_REQUEST:
        bytes_add(&s->replies, "N", 1);
        return SESSION_GOES_ON;
    case WIRE_PROTOCOL_3_0:
        if (!take_parameters(s, (const char *)packet + PACKET_MIN, (const char *)packet + len))
            return SESSION_ENDS;
        answer_welcome(&s->replies, s->application_name);
        s->status = 'I';
        s->state = SESSION_READY;
        return SESSION_GOES_ON;
    default: /* CancelRequest among them: there is never anything to cancel */
        return SESSION_ENDS;
    }
}

/* Takes packets up to the StartupMessage. What follows it stays in `packets`. */
static enum session_result take_startup(struct session *s, const uint8_t *data, size_t len)
{
    enum session_result result = SESSION_GOES_ON;

    bytes_add(&s->packets, data, len);
    while (s->state == SESSION_STARTUP && result == SESSION_GOES_ON &&
           bytes_len(&s->packets) >= PACKET_MIN) {
        const uint8_t *packet = s->packets.data + s->packets.start;
        uint32_t packet_len = wire_get32(packet);
        if (packet_len < PACKET_MIN || packet_len > WIRE_KEEP_MAX)
            return SESSION_ENDS;
        if (bytes_len(&s->packets) < packet_len)
            break;
        result = take_packet(s, packet, packet_len);
        bytes_consume(&s->packets, packet_len);
    }
    return result;
}

/* ---- streams ---- */

static void start_stream(struct session *s, char letter, uint64_t total, uint32_t row_bytes)
{
    char text[ROW_BYTES_MAX];

    memset(text, 'x', sizeof(text));
    bytes_clear(&s->stream_row);
    if (letter == 'D') {
        answer_row_description(&s->replies, "stream", ANSWER_TEXT);
        answer_row(&s->stream_row, text, row_bytes);
    } else {
        answer_copy(&s->replies, 'H');
        text[row_bytes - 1] = '\n';
        size_t begin = wire_begin(&s->stream_row, 'd');
        bytes_add(&s->stream_row, text, row_bytes);
        wire_end(&s->stream_row, begin);
    }
    s->stream_letter = letter;
    s->stream_left = total < row_bytes ? row_bytes : total / row_bytes * row_bytes;
}

static void make_rows(struct session *s, size_t want)
{
    const struct bytes *row = &s->stream_row;
    size_t payload = bytes_len(row) - (s->stream_letter == 'D' ? DATA_ROW_HEAD : COPY_DATA_HEAD);

    while (s->stream_left > 0 && bytes_len(&s->replies) < want) {
        bytes_add(&s->replies, row->data + row->start, bytes_len(row));
        s->stream_left -= payload;
    }
    if (s->stream_left > 0)
        return;
    if (s->stream_letter == 'd')
        wire_put_empty(&s->replies, 'c');
    answer_complete(&s->replies, s->stream_letter == 'd' ? "COPY 0" : "SELECT 0");
    answer_ready(&s->replies, s->status);
}

/* "stream(BYTES, ROW)" behind the word. */
static bool parse_stream(const char *text, const char *word, uint64_t *total, uint32_t *row_bytes)
{
    unsigned long long bytes;
    unsigned row;

    if (!starts_with(text, word) ||
        sscanf(text + strlen(word), " stream(%llu,%u)", &bytes, &row) != 2 || row < 2 ||
        row > ROW_BYTES_MAX)
        return false;
    *total = bytes;
    *row_bytes = row;
    return true;
}

/* ---- statements ---- */

/* BEGIN and its like, SET and its like; false: an ordinary statement. */
static bool run_command(struct session *s, const char *text)
{
    static const struct {
        const char *word;
        char status;
    } commands[] = {{"BEGIN", 'T'}, {"COMMIT", 'I'}, {"ROLLBACK", 'I'}};

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (starts_with(text, commands[i].word)) {
            s->status = commands[i].status;
            answer_complete(&s->replies, commands[i].word);
            return true;
        }
    }
    if (!settings_is_command(text))
        return false;
    answer_complete(&s->replies, settings_run(&s->replies, s->application_name, text));
    return true;
}

/* The start of the next statement, behind the semicolon that ends this one; quotes protect. */
static const char *next_statement(const char *p)
{
    for (char quote = '\0'; *p != '\0'; p++) {
        if (quote != '\0')
            quote = *p == quote ? '\0' : quote;
        else if (*p == '\'' || *p == '"')
            quote = *p;
        else if (*p == ';')
            return p + 1;
    }
    return p;
}

/* One or several statements; streams and COPY stand alone. */
static void take_query(struct session *s, const char *text)
{
    uint64_t total;
    uint32_t row_bytes;

    if (parse_stream(text, "SELECT", &total, &row_bytes)) {
        start_stream(s, 'D', total, row_bytes);
        return;
    }
    if (parse_stream(text, "COPY", &total, &row_bytes)) {
        start_stream(s, 'd', total, row_bytes);
        return;
    }
    if (starts_with(text, "COPY")) {
        answer_copy(&s->replies, 'G');
        s->state = SESSION_COPY_IN;
        return;
    }
    if (*text == '\0')
        wire_put_empty(&s->replies, 'I');
    for (; *text != '\0'; text = next_statement(text)) {
        if (!run_command(s, text)) {
            answer_statement_description(&s->replies);
            answer_statement_rows(&s->replies);
        }
    }
    answer_ready(&s->replies, s->status);
}

/* ---- messages ---- */

/* Parse: statement name, text. Only commands are remembered; the others are all the same. */
static bool take_parse(struct session *s, const struct message *m)
{
    const char *name = (const char *)m->body;
    size_t name_len = strnlen(name, m->len);

    if (name_len == m->len || memchr(name + name_len + 1, 0, m->len - name_len - 1) == NULL)
        return false;
    const char *text = name + name_len + 1;
    if (settings_is_command(text) && name_len < sizeof(s->command_name) &&
        strlen(text) < sizeof(s->command)) {
        s->has_command = true;
        snprintf(s->command_name, sizeof(s->command_name), "%s", name);
        snprintf(s->command, sizeof(s->command), "%s", text);
    } else if (s->has_command && strcmp(s->command_name, name) == 0) {
        s->has_command = false;
    }
    wire_put_empty(&s->replies, '1');
    return true;
}

/* Bind: portal name, statement name, … Only the unnamed portal, one at a time, is of interest. */
static bool take_bind(struct session *s, const struct message *m)
{
    const char *portal = (const char *)m->body;
    size_t portal_len = strnlen(portal, m->len);

    if (portal_len == m->len || memchr(portal + portal_len + 1, 0, m->len - portal_len - 1) == NULL)
        return false;
    s->command_is_bound = s->has_command && strcmp(portal + portal_len + 1, s->command_name) == 0;
    wire_put_empty(&s->replies, '2');
    return true;
}

static void take_describe(struct session *s, const struct message *m)
{
    if (m->body[0] == 'S')
        answer_parameter_description(&s->replies);
    else if (s->command_is_bound)
        wire_put_empty(&s->replies, 'n');
    if (m->body[0] == 'S' || !s->command_is_bound)
        answer_statement_description(&s->replies);
}

static void take_execute(struct session *s)
{
    if (s->command_is_bound)
        run_command(s, s->command);
    else
        answer_statement_rows(&s->replies);
}

/* False: the session ends. */
static bool take_message(struct session *s, const struct message *m)
{
    bool has_body = m->body != NULL && m->len > 0;

    switch (m->letter) {
    case 'Q':
        if (!has_body || m->body[m->len - 1] != '\0')
            break;
        take_query(s, (const char *)m->body);
        return true;
    case 'P':
        if (!has_body || !take_parse(s, m))
            break;
        return true;
    case 'B':
        if (!has_body || !take_bind(s, m))
            break;
        return true;
    case 'D':
        if (!has_body)
            break;
        take_describe(s, m);
        return true;
    case 'E':
        take_execute(s);
        return true;
    case 'C':
        wire_put_empty(&s->replies, '3');
        return true;
    case 'S':
        answer_ready(&s->replies, s->status);
        return true;
    case 'H':
        return true;
    case 'X':
        return false;
    default:
        break;
    }
    answer_error(&s->replies, "FATAL", "08P01", "the canned server does not understand this");
    return false;
}

static bool take_copy_message(struct session *s, const struct message *m)
{
    if (m->letter == 'c' || m->letter == 'f') {
        s->state = SESSION_READY;
        if (m->letter == 'c')
            answer_complete(&s->replies, "COPY 0");
        else
            answer_error(&s->replies, "ERROR", "57014", "COPY from stdin failed");
        answer_ready(&s->replies, s->status);
        return true;
    }
    return m->letter == 'd' || m->letter == 'H' || m->letter == 'S';
}

/* Answers messages until a stream starts; the rest goes to `pending`. */
static bool take_messages(struct session *s, const uint8_t *data, size_t len)
{
    struct message m;

    while (len > 0 && s->stream_left == 0) {
        enum wire_result result = wire_next(&s->reader, &data, &len, &m);
        if (result == WIRE_MORE)
            break;
        if (result == WIRE_BAD)
            return false;
        if (!(s->state == SESSION_COPY_IN ? take_copy_message(s, &m) : take_message(s, &m)))
            return false;
    }
    bytes_add(&s->pending, data, len);
    return true;
}

/* ---- the interface ---- */

enum session_result session_take(struct session *s, const uint8_t *data, size_t len)
{
    if (s->state == SESSION_STARTUP) {
        enum session_result result = take_startup(s, data, len);
        if (result != SESSION_GOES_ON || s->state == SESSION_STARTUP)
            return result;
        /* Messages that came in one piece with the StartupMessage. */
        data = s->packets.data + s->packets.start;
        len = bytes_len(&s->packets);
    }
    return take_messages(s, data, len) ? SESSION_GOES_ON : SESSION_ENDS;
}

bool session_make_more(struct session *s, size_t want)
{
    if (s->stream_left > 0) {
        make_rows(s, want);
        return true;
    }
    struct bytes pending = s->pending;
    s->pending = (struct bytes){0};
    bool goes_on = take_messages(s, pending.data + pending.start, bytes_len(&pending));
    bytes_free(&pending);
    return goes_on;
}

void session_free(struct session *s)
{
    bytes_free(&s->packets);
    bytes_free(&s->replies);
    bytes_free(&s->pending);
    bytes_free(&s->stream_row);
    wire_reader_free(&s->reader);
}
