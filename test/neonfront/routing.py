# SPDX-License-Identifier: PostgreSQL
"""Which endpoint a connection is for, and which of its startup parameters reach PostgreSQL.

Behaviours B06 and B09 of README.md.
"""

import re

# What a client may set; the rest is dropped in silence.
FORWARDED = ("user", "database", "application_name", "replication", "options")
COMPATIBLE = "neon_proxy_params_compat:true"
OWN_WORD = re.compile(r"(endpoint|project)=|neon_[a-z_]+:")


class RoutingRefusal(Exception):
    """str() is the text of the error."""


def words(options):
    """Words of `options`, with the backslashes that protect blanks in them."""
    return re.findall(r"(?:\\.|[^\s\\])+", options, re.DOTALL)


def _named(options):
    """The one endpoint= or project= of the options; two or more are none."""
    found = [
        word.split("=", 1)[1]
        for word in words(options)
        if word.startswith(("endpoint=", "project="))
    ]
    return found[0] if len(found) == 1 else None


def endpoint_of(from_sni, options):
    """The endpoint's id, None if nothing names it."""
    named = _named(options)
    if from_sni and named and from_sni != named:
        raise RoutingRefusal(
            f"Inconsistent project name inferred from SNI ('{from_sni}')"
            f" and project option ('{named}')."
        )
    endpoint = from_sni or named
    if endpoint and not re.fullmatch(r"[A-Za-z0-9-]+", endpoint):
        raise RoutingRefusal(
            f"Project name ('{endpoint}') must contain only alphanumeric characters and hyphen."
        )
    return endpoint


def forwarded(parameters):
    """The startup parameters for PostgreSQL."""
    own = words(parameters.get("options", ""))
    kept = [word for word in own if not OWN_WORD.match(word)]
    compatible = COMPATIBLE in own
    result = {
        name: value
        for name, value in parameters.items()
        if (compatible or name in FORWARDED) and name != "options" and not name.startswith("_pq_.")
    }
    if kept:
        result["options"] = " ".join(kept)
    if not compatible:
        result["client_encoding"] = "UTF8"
    return result


# A client without SNI and option may say the endpoint in its password.
PASSWORD_HACK = re.compile(rb"(?:endpoint|project)=([^;$]*)[;$](.*)", re.DOTALL)
NO_ENDPOINT = (
    "Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) for"
    " SNI support or pass the endpoint ID (first part of the domain name) as a parameter:"
    " '?options=endpoint%3D<endpoint-id>'. See more at https://neon.tech/sni"
)


def split_password(password):
    """Endpoint and password of the hack; RoutingRefusal for any other password."""
    match = PASSWORD_HACK.fullmatch(password)
    if not match:
        raise RoutingRefusal(NO_ENDPOINT)
    return match.group(1).decode("utf-8", "replace"), match.group(2)
