/* SPDX-License-Identifier: PostgreSQL */
/* options.c - the command line.
 *
 * One argument says where to: a URL (or key=value string) starts the url profile, a file name the
 * ini profile; none means DATABASE_URL. */
#include "main/options.h"

#include "base/mem.h"
#include "base/span.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "net/tls_context.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "pgballast - connection pooler for PostgreSQL behind TLS\n"
    "\n"
    "  DATABASE_URL=postgresql://… pgballast     in front of one database service\n"
    "  pgballast postgresql://…                  the same\n"
    "  pgballast /etc/pgballast/pgballast.ini    by a configuration file (pgbouncer.ini works)\n"
    "\n"
    "  --env-file FILE      read more environment variables from FILE\n"
    "  --set NAME=VALUE     a setting, stronger than file and environment\n"
    "  --check              check the configuration and leave\n"
    "  --print-url          print the URL for the application, without password, and leave\n"
    "  --print-ca           print the certificate that clients see, and leave\n"
    "  --show-config        print all settings and where they come from, and leave\n"
    "  -d, --daemon         go into the background; needs the setting pidfile\n"
    "  -R, --reboot         take the place of a running process, whose clients stay with it\n"
    "  -u, --user NAME      become this user when started as root\n"
    "  -q, --quiet          do not log to stderr\n"
    "  -v, --verbose        log more; twice: even more\n"
    "  -V, --version        print the version and leave\n"
    "  -h, --help           print this and leave\n";

enum { OPT_ENV_FILE = 256, OPT_SET, OPT_CHECK, OPT_PRINT_URL, OPT_PRINT_CA, OPT_SHOW_CONFIG };

static const struct option longs[] = {
    {"env-file", required_argument, NULL, OPT_ENV_FILE},
    {"set", required_argument, NULL, OPT_SET},
    {"check", no_argument, NULL, OPT_CHECK},
    {"print-url", no_argument, NULL, OPT_PRINT_URL},
    {"print-ca", no_argument, NULL, OPT_PRINT_CA},
    {"show-config", no_argument, NULL, OPT_SHOW_CONFIG},
    {"daemon", no_argument, NULL, 'd'},
    {"user", required_argument, NULL, 'u'},
    {"reboot", no_argument, NULL, 'R'},
    {"quiet", no_argument, NULL, 'q'},
    {"verbose", no_argument, NULL, 'v'},
    {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static void leave(struct options *o, int status)
{
    o->action = OPTIONS_EXIT;
    o->status = status;
}

static void bad(struct options *o, const char *what)
{
    if (o->action == OPTIONS_EXIT)
        return;
    fprintf(stderr, "%s: %s\nTry \"%s --help\" for more information.\n", o->program, what,
            o->program);
    leave(o, 1);
}

/* NAME=VALUE; the argument is split in place. */
static void take_override(struct options *o, char *text)
{
    char *equals = strchr(text, '=');
    if (!equals || o->request.n_overrides == OPTIONS_OVERRIDES) {
        bad(o, equals ? "too many --set" : "--set wants NAME=VALUE");
        return;
    }
    *equals = '\0';
    o->overrides[o->request.n_overrides++] =
        (struct config_override){.name = text, .value = equals + 1};
}

static bool is_url(const char *text)
{
    return strstr(text, "://") != NULL || strchr(text, '=') != NULL;
}

static void take_positional(struct options *o, int argc, char **argv)
{
    if (argc > 1) {
        bad(o, "too many arguments");
        return;
    }
    o->request.profile = CONFIG_URL;
    if (argc == 1 && is_url(argv[0])) {
        o->request.url = o->url = xstrdup(argv[0]);
        mem_wipe(argv[0], strlen(argv[0]));
    } else if (argc == 1) {
        o->request.profile = CONFIG_INI;
        o->request.ini_path = argv[0];
    }
}

/* The first line is what SHOW VERSION says. */
static void print_version(void)
{
    char events[64], names[64];
    printf("%s\n%s\nadns: %s\ntls: %s\nsystemd: yes\n", PACKAGE_STRING,
           loop_library(NULL, events, sizeof events), resolver_library(names, sizeof names),
           tls_library());
}

static void take_option(struct options *o, int opt)
{
    switch (opt) {
    case OPT_ENV_FILE:
        o->request.env_file = optarg;
        return;
    case OPT_SET:
        take_override(o, optarg);
        return;
    case OPT_CHECK:
        o->action = OPTIONS_CHECK;
        return;
    case OPT_PRINT_URL:
        o->action = OPTIONS_PRINT_URL;
        return;
    case OPT_PRINT_CA:
        o->action = OPTIONS_PRINT_CA;
        return;
    case OPT_SHOW_CONFIG:
        o->action = OPTIONS_SHOW_CONFIG;
        return;
    case 'd':
        o->daemon = true;
        return;
    case 'u':
        o->user = optarg;
        return;
    case 'R':
        o->reboot = true;
        return;
    case 'q':
        o->quiet = true;
        return;
    case 'v':
        o->request.verbose++;
        return;
    case 'V':
        print_version();
        leave(o, 0);
        return;
    case 'h':
        fputs(usage, stdout);
        leave(o, 0);
        return;
    case ':':
        bad(o, "an option lacks its value");
        return;
    default:
        bad(o, "unknown option");
    }
}

void options_parse(struct options *o, int argc, char **argv, char **env)
{
    int opt;
    memset(o, 0, sizeof *o);
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    o->program = slash ? slash + 1 : argc > 0 ? argv[0] : PACKAGE_NAME;
    o->request.env = (const char *const *)env;
    o->request.overrides = o->overrides;
    opterr = 0;
    while (o->action != OPTIONS_EXIT &&
           (opt = getopt_long(argc, argv, ":du:RqvVh", longs, NULL)) != -1)
        take_option(o, opt);
    if (o->action != OPTIONS_EXIT)
        take_positional(o, argc - optind, argv + optind);
}

void options_fini(struct options *o)
{
    secret_free(&o->url);
}
