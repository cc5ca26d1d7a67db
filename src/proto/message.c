/* SPDX-License-Identifier: PostgreSQL */
/* message.c - the two tables of messages. */
#include "proto/message.h"

#define ROW(letter, text, how, longest)                                                            \
    [letter] = {.type = (letter), .name = (text), .take = (how), .max_len = (longest)}

/* A body that is longer than the format allows is not for us to judge: the server refuses it in its
 * own words. So the small ones have PostgreSQL's own bound and not their exact length; above that
 * it would end the connection. */
const struct message_row message_frontend_rows[256] = {
    ROW(FE_BIND, "Bind", MESSAGE_HEAD, MESSAGE_LEN_MAX),
    ROW(FE_CLOSE, "Close", MESSAGE_WHOLE, MESSAGE_LEN_SMALL),
    ROW(FE_COPY_DATA, "CopyData", MESSAGE_STREAM, MESSAGE_LEN_MAX),
    ROW(FE_COPY_DONE, "CopyDone", MESSAGE_WHOLE, MESSAGE_LEN_SMALL),
    ROW(FE_COPY_FAIL, "CopyFail", MESSAGE_WHOLE, MESSAGE_LEN_SMALL),
    ROW(FE_DESCRIBE, "Describe", MESSAGE_WHOLE, MESSAGE_LEN_SMALL),
    ROW(FE_EXECUTE, "Execute", MESSAGE_WHOLE, MESSAGE_LEN_SMALL),
    ROW(FE_FLUSH, "Flush", MESSAGE_WHOLE, MESSAGE_LEN_SMALL),
    ROW(FE_FUNCTION_CALL, "FunctionCall", MESSAGE_STREAM, MESSAGE_LEN_MAX),
    ROW(FE_PARSE, "Parse", MESSAGE_WHOLE, MESSAGE_LEN_PARSE),
    ROW(FE_PASSWORD, "PasswordMessage", MESSAGE_WHOLE, MESSAGE_LEN_PASSWORD),
    ROW(FE_QUERY, "Query", MESSAGE_STREAM, MESSAGE_LEN_MAX),
    ROW(FE_SYNC, "Sync", MESSAGE_WHOLE, MESSAGE_LEN_SMALL),
    ROW(FE_TERMINATE, "Terminate", MESSAGE_WHOLE, MESSAGE_LEN_SMALL),
};

const struct message_row message_backend_rows[256] = {
    ROW(BE_AUTHENTICATION, "Authentication", MESSAGE_WHOLE, MESSAGE_LEN_REPORT),
    ROW(BE_BACKEND_KEY_DATA, "BackendKeyData", MESSAGE_WHOLE, 4 + 4 + 256),
    ROW(BE_BIND_COMPLETE, "BindComplete", MESSAGE_WHOLE, 4),
    ROW(BE_CLOSE_COMPLETE, "CloseComplete", MESSAGE_WHOLE, 4),
    ROW(BE_COMMAND_COMPLETE, "CommandComplete", MESSAGE_WHOLE, MESSAGE_LEN_REPORT),
    ROW(BE_COPY_BOTH, "CopyBothResponse", MESSAGE_WHOLE, MESSAGE_LEN_REPORT),
    ROW(BE_COPY_DATA, "CopyData", MESSAGE_STREAM, MESSAGE_LEN_MAX),
    ROW(BE_COPY_DONE, "CopyDone", MESSAGE_WHOLE, 4),
    ROW(BE_COPY_IN, "CopyInResponse", MESSAGE_WHOLE, MESSAGE_LEN_REPORT),
    ROW(BE_COPY_OUT, "CopyOutResponse", MESSAGE_WHOLE, MESSAGE_LEN_REPORT),
    ROW(BE_DATA_ROW, "DataRow", MESSAGE_STREAM, MESSAGE_LEN_MAX),
    ROW(BE_EMPTY_QUERY, "EmptyQueryResponse", MESSAGE_WHOLE, 4),
    ROW(BE_ERROR, "ErrorResponse", MESSAGE_WHOLE, MESSAGE_LEN_REPORT),
    ROW(BE_FUNCTION_RESULT, "FunctionCallResponse", MESSAGE_STREAM, MESSAGE_LEN_MAX),
    ROW(BE_NEGOTIATE_VERSION, "NegotiateProtocolVersion", MESSAGE_WHOLE, MESSAGE_LEN_REPORT),
    ROW(BE_NO_DATA, "NoData", MESSAGE_WHOLE, 4),
    ROW(BE_NOTICE, "NoticeResponse", MESSAGE_WHOLE, MESSAGE_LEN_REPORT),
    ROW(BE_NOTIFICATION, "NotificationResponse", MESSAGE_WHOLE, MESSAGE_LEN_REPORT),
    ROW(BE_PARAMETER_DESCRIPTION, "ParameterDescription", MESSAGE_STREAM, MESSAGE_LEN_MAX),
    ROW(BE_PARAMETER_STATUS, "ParameterStatus", MESSAGE_WHOLE, MESSAGE_LEN_REPORT),
    ROW(BE_PARSE_COMPLETE, "ParseComplete", MESSAGE_WHOLE, 4),
    ROW(BE_PORTAL_SUSPENDED, "PortalSuspended", MESSAGE_WHOLE, 4),
    ROW(BE_READY_FOR_QUERY, "ReadyForQuery", MESSAGE_WHOLE, 4 + 1),
    ROW(BE_ROW_DESCRIPTION, "RowDescription", MESSAGE_STREAM, MESSAGE_LEN_MAX),
};
