# SPDX-License-Identifier: PostgreSQL
"""What the proxy says when it refuses, and the script of refusals to come (X09).

The texts are those that Neon's proxy and its control plane are known to send; the ids are the
project's names for them. The phase says where in a login the proxy notices: before the exchange of
SCRAM or after it, when the client has been told nothing yet.
"""

from collections import deque

BEFORE_SCRAM = "before SCRAM"
AFTER_SCRAM = "after SCRAM"

INSECURE = "connection is insecure (try using `sslmode=require`)"
NO_USER = "Parameter 'user' is missing in startup packet."
TIMED_OUT = "Authentication timed out"
NO_COMPUTE = "Couldn't connect to compute node"

CONTROL_PLANE = "Control plane request failed"
QUOTA = "Your account or project has exceeded the %s quota. Upgrade your plan to increase limits."

# id -> phase, text
ERRORS = {
    "E12": (
        BEFORE_SCRAM,
        "This IP address 192.0.2.1 is not allowed to connect to this endpoint. Please add it to the"
        " allowed list in the Neon console. Make sure to check for IPv4 or IPv6 addresses.",
    ),
    "E13": (
        BEFORE_SCRAM,
        "This connection is trying to access this endpoint from a blocked network.",
    ),
    "E16": (BEFORE_SCRAM, "Too many connections to this endpoint. Please try again later."),
    "E17": (AFTER_SCRAM, "Too many connections attempts"),
    "E18": (
        AFTER_SCRAM,
        "Failed to acquire permit to connect to the database. Too many database connection attempts"
        " are currently ongoing.",
    ),
    "E19": (AFTER_SCRAM, NO_COMPUTE),
    "E20": (AFTER_SCRAM, CONTROL_PLANE),
    "E21": (AFTER_SCRAM, CONTROL_PLANE + ": endpoint cannot be found"),
    "E21a": (AFTER_SCRAM, CONTROL_PLANE + ": endpoint is disabled"),
    "E21b": (
        AFTER_SCRAM,
        CONTROL_PLANE + ": endpoint is temporarily unavailable. Check your quotas and/or contact"
        " our support.",
    ),
    "E22": (AFTER_SCRAM, QUOTA % "compute time"),
    "E22b": (
        AFTER_SCRAM,
        "Your account or project has exceeded the quota. Upgrade your plan to increase limits.",
    ),
    "E23": (
        AFTER_SCRAM,
        "You have exceeded the limit of concurrently active endpoints. Please suspend some"
        " endpoints and try again.",
    ),
    "E24": (
        AFTER_SCRAM,
        "Your project already has running operations. Please wait until they complete, and then try"
        " again.",
    ),
    "E25": (
        AFTER_SCRAM,
        "You've exceeded the rate limit. Please wait a moment and try again.",
    ),
    "E28": (AFTER_SCRAM, "endpoint is idle, retry request"),
    "E30": (
        AFTER_SCRAM,
        "remaining connection slots are reserved for non-replication superuser connections",
    ),
}


def wrong_password(user):
    return f"password authentication failed for user '{user}'"


UNSUPPORTED_PARAMETER = (
    "unsupported startup parameter: ",
    "unsupported startup parameter in options: ",
)
UNSUPPORTED_HINT = (
    ". Please use unpooled connection or remove this parameter from the startup package. More"
    " details: https://neon.tech/docs/connect/connection-errors#unsupported-startup-parameter"
)


def rewritten(text):
    """The text of PostgreSQL's or PgBouncer's refusal as the proxy passes it on."""
    return text + UNSUPPORTED_HINT if text.startswith(UNSUPPORTED_PARAMETER) else text


class Script:
    """Refusals that the next logins meet, in the order they were put in."""

    def __init__(self):
        self.left = deque()

    def add(self, error, times):
        """`times` logins are refused with it; 0: all until `clear`. KeyError for an unknown id."""
        self.left.append([ERRORS[error][0], error, times or float("inf")])

    def clear(self):
        self.left.clear()

    def take(self, phase):
        """The id of the error that the login in this phase meets, None if it may go on."""
        if not self.left or self.left[0][0] != phase:
            return None
        head = self.left[0]
        head[2] -= 1
        if head[2] <= 0:
            self.left.popleft()
        return head[1]
