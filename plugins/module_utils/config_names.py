# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of Hermes' configuration that its defaults do not tell: other kinds, hidden keys, fixed words."""

from __future__ import annotations

# Leaves whose default is empty: what Hermes takes there besides nothing at all.
NULLABLE = {
    "max_concurrent_sessions": "int",
    "context_file_max_chars": "int",
    "kanban.max_in_progress_per_profile": "int",
    "cron.max_parallel_jobs": "int",
    "x_search.reasoning_effort": "str",
}
# Leaves that take more kinds than that of their default.
ALSO_KINDS = {
    "agent.verify_on_stop": ("bool",),
    "agent.tool_use_enforcement": ("bool", "list"),
    "agent.intent_ack_continuation": ("bool", "list"),
    "tools.tool_search.enabled": ("bool",),
    "telegram.allowed_chats": ("list",),
    "slack.allowed_channels": ("list",),
    "slack.free_response_channels": ("list",),
    "discord.allowed_channels": ("list",),
    "discord.free_response_channels": ("list",),
    "matrix.allowed_rooms": ("list",),
    "matrix.free_response_rooms": ("list",),
    "mattermost.allowed_channels": ("list",),
    "mattermost.free_response_channels": ("list",),
}
# Read by Hermes, absent from its defaults.
UNLISTED = {
    "agent.reasoning_effort": "str",
    "agent.system_prompt": "str",
    "agent.personalities": "map",
    "auxiliary.compression.context_length": "int",
    "auxiliary.video.model": "str",
    "auxiliary.vision.max_concurrency": "int",
    "browser.cloud_provider": "str",
    "dashboard.hidden_plugins": "list",
    "display.background_process_notifications": "str",
    "display.busy_text_mode": "str",
    "display.tool_progress": "str",
    "kanban.auto_promote_children": "bool",
    "kanban.auto_subscribe_on_create": "bool",
    "group_sessions_per_user": "bool",
    "thread_sessions_per_user": "bool",
    "always_log_local": "bool",
    "require_mention": "bool",
    "unauthorized_dm_behavior": "str",
    "multiplex_profiles": "bool",
    "gateway.multiplex_profiles": "bool",
    "gateway.systemd_watchdog_seconds": "int",
    "kanban.max_in_progress": "int",
    "kanban.max_spawn": "int",
    "plugins.enabled": "list",
    "plugins.disabled": "list",
    "profile_routes": "list",
    "reset_triggers": "list",
    "session_reset.at_hour": "int",
    "session_reset.idle_minutes": "int",
    "session_reset.mode": "str",
    "telegram.require_mention": "bool",
    "terminal.credential_files": "list",
}
# Maps whose keys are the operator's own; what stands below them is not looked into.
FREE_MAPS = frozenset(
    {"platform_toolsets", "model_aliases", "image_gen", "video_gen", "display.platforms", "gateway.platforms"}
)
CHECKED_APART = frozenset(
    {"model", "providers", "fallback_providers", "platforms", "mcp_servers", "hooks", "quick_commands"}
)
API_MODES = (
    "chat_completions",
    "codex_responses",
    "anthropic_messages",
    "bedrock_converse",
    "codex_app_server",
)
EFFORTS = ("", "none", "false", "disabled", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")
# The leaves where a word of the right type is silently taken for something else.
CHOICES = {
    "approvals.mode": ("smart", "manual", "off"),
    "approvals.cron_mode": ("deny", "approve", "allow", "yes", "off"),
    "onboarding.profile_build": ("ask", "off"),
    "terminal.backend": ("local", "docker", "ssh", "singularity", "modal", "daytona"),
    "terminal.home_mode": ("auto", "real", "profile"),
    "session_reset.mode": ("none", "daily", "idle", "both"),
    "unauthorized_dm_behavior": ("pair", "ignore"),
    "logging.level": ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    "agent.image_input_mode": ("auto", "native", "text"),
    "agent.reasoning_effort": EFFORTS,
    "delegation.reasoning_effort": EFFORTS,
    "browser.dialog_policy": ("must_respond", "auto_dismiss", "auto_accept"),
    "code_execution.mode": ("project", "strict"),
    "display.background_process_notifications": ("all", "result", "error", "off"),
    "display.busy_input_mode": ("interrupt", "queue", "steer"),
    "display.final_response_markdown": ("render", "strip", "raw"),
    "display.reasoning_style": ("code", "blockquote", "subtext"),
    "display.tool_progress_grouping": ("accumulate", "separate"),
    "lsp.wait_mode": ("document", "full"),
    "prompt_caching.cache_ttl": ("5m", "1h"),
    "updates.pre_update_backup": ("off", "quick", "full", "false", "none", "disabled", "zip", "true"),
}
# The same for a field of records such as model, providers.<name>, platforms.<name>.
FIELD_CHOICES = {
    "api_mode": API_MODES,
    "transport": API_MODES,
    "reply_to_mode": ("off", "first", "all"),
}
# Of these the readers compare letter by letter.
EXACT = frozenset(
    {"prompt_caching.cache_ttl", "lsp.wait_mode", "terminal.home_mode", "browser.dialog_policy"}
)
# Keys whose readers take the raw home file: in the managed layer they would do nothing.
HOME_ONLY = (
    "skills.external_dirs",
    "terminal.env_passthrough",
    "mcp_servers",
    "code_execution",
    "browser",
    "secrets",
    "security.allow_private_urls",
    "security.website_blocklist",
)
