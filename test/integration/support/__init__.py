# SPDX-License-Identifier: PostgreSQL
"""What the integration tests stand on: processes they start and clients they speak through."""
