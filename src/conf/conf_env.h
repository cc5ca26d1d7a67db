/* SPDX-License-Identifier: PostgreSQL */
/* conf_env.h - settings from environment variables and from a .env file.
 *
 * PGBALLAST_<NAME> sets any setting. In the url profile the names that Python web stacks have
 * already are honoured too (DB_POOL_MAX, API_PORT, ...). The process's environment is handed in as
 * an array, never read here. Variables of the environment win over those of the file. */
#ifndef CONF_CONF_ENV_H
#define CONF_CONF_ENV_H

#include "conf/config.h"
#include "conf/conf_files.h"

struct conf_env;

struct conf_env_var {
    const char *name, *value;
    const char *origin; /* "environment NAME" or "file:line" */
    bool from_file;
};

/* Copies the "NAME=value" strings of a NULL-terminated array (or NULL). Returns owned. */
struct conf_env *conf_env_new(const char *const *variables);
/* Wipes and frees. */
void conf_env_free(struct conf_env **env);

/* Adds the variables of a .env file's text:
 *
 *     # comment
 *     NAME=value               blanks around both are dropped, " #" begins a comment
 *     export NAME="value"      with \n \r \t \\ \" \$ as in a shell; may span lines
 *     NAME='value'             as it stands; may span lines
 *
 * Nothing is expanded. Later lines win. Reports every bad line, as path:line; false if any. */
bool conf_env_parse(struct conf_env *env, struct span text, const char *path,
                    struct config_sink *sink);

/* Fills *var (borrowed until env is freed) if the variable is set, even if empty. */
bool conf_env_get(const struct conf_env *env, const char *name, struct conf_env_var *var);

/* A secret: the variable, or the content of the file named by <name>_FILE without its final
 * newline. *value_out is owned by the caller (secret_free), or NULL if neither is set. *origin_out
 * is borrowed. False if both are set or the file is unreadable. */
bool conf_env_secret(const struct conf_env *env, const char *name, conf_read_file *read_file,
                     char **value_out, const char **origin_out, struct error *err)
    __attribute__((warn_unused_result));

/* Sets what the variables say in cfg. Reports bad values, each under its variable's name; names
 * beginning with PGBALLAST_ that are no setting are warned about. False if there was an error. */
bool conf_env_apply(const struct conf_env *env, struct config *cfg, struct config_sink *sink);

#endif
