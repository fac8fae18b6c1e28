# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sections of a Hermes configuration that hold records: model, providers, platforms, servers, hooks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .config_values import check_context, check_map, wrong_kind
from .overlay_problem import Problem, is_kind, suggest, type_name

_MODEL = {
    "provider": "str",
    "default": "str",
    "base_url": "str",
    "api_key": "str",
    "context_length": "int",
    "max_tokens": "int",
    "ollama_num_ctx": "int",
    "api_mode": "str",
    "default_headers": "map",
    "extra_headers": "map",
}
_PROVIDER = {
    "name": "str",
    "base_url": "str",
    "key_env": "str",
    "api_mode": "str",
    "transport": "str",
    "default_model": "str",
    "models": "map",
    "context_length": "int",
    "rate_limit_delay": "float",
    "request_timeout_seconds": "float",
    "stale_timeout_seconds": "float",
    "discover_models": "bool",
    "extra_body": "map",
    "extra_headers": "map",
    "ssl_ca_cert": "str",
    "ssl_verify": "bool",
    "enabled": "bool",
}
_FALLBACK = {"provider": "str", "model": "str", "base_url": "str", "key_env": "str", "api_mode": "str"}
_PLATFORM = {
    "enabled": "bool",
    "home_channel": "map",
    "reply_to_mode": "str",
    "gateway_restart_notification": "bool",
    "typing_indicator": "bool",
    "typing_status_text": "str",
    "channel_overrides": "map",
    "extra": "map",
}
_MCP = {
    "command": "str",
    "args": "list",
    "env": "map",
    "url": "str",
    "headers": "map",
    "timeout": "float",
    "connect_timeout": "float",
    "enabled": "bool",
    "tools": "map",
    "sampling": "map",
    "auth": "str",
    "oauth": "map",
    "transport": "str",
    "ssl_verify": "bool",
    "client_cert": "str",
    "client_key": "str",
    "keepalive_interval": "float",
    "elicitation": "map",
    "skip_preflight": "bool",
    "supports_parallel_tool_calls": "bool",
}
_API_SERVER = ("host", "port", "key", "cors_origins", "model_name", "model_routes")
_QUICK = {"exec": "command", "alias": "target"}
_HOOK = {"command": "str", "matcher": "str", "timeout": "int"}


def _check_model(path: str, value: Any, _keys: Mapping[str, Any]) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield Problem(
            path,
            "model",
            f"must be a mapping with provider and default, not {type_name(value)}",
        )
        return
    yield from check_map(path, "model", value, _MODEL)
    for key in ("provider", "default", "context_length"):
        if not value.get(key):
            yield Problem(path, f"model.{key}", "is missing; Hermes would guess it")
    if isinstance(value.get("api_key"), str) and not value["api_key"].startswith("${"):
        yield Problem(path, "model.api_key", "holds a key in the clear; use key_env and the agent's secrets")


def _check_providers(path: str, value: Any, _keys: Mapping[str, Any]) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield wrong_kind(path, "providers", value, ("map",))
        return
    for name, entry in value.items():
        yield from check_map(path, f"providers.{name}", entry, _PROVIDER)
        if isinstance(entry, Mapping):
            if not entry.get("base_url"):
                yield Problem(
                    path, f"providers.{name}.base_url", "is missing; Hermes skips a provider without it"
                )
            yield from _check_models(path, name, entry.get("models"))


def _check_models(path: str, name: str, models: Any) -> Iterator[Problem]:
    if not isinstance(models, Mapping):
        return
    for model, about in models.items():
        if isinstance(about, Mapping) and "context_length" in about:
            yield from check_context(
                path, f"providers.{name}.models.{model}.context_length", about["context_length"]
            )


def _check_fallbacks(path: str, value: Any, _keys: Mapping[str, Any]) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield wrong_kind(path, "fallback_providers", value, ("list",))
        return
    for number, entry in enumerate(value):
        name = f"fallback_providers[{number}]"
        yield from check_map(path, name, entry, _FALLBACK)
        if isinstance(entry, Mapping):
            for key in ("provider", "model"):
                if not entry.get(key):
                    yield Problem(path, f"{name}.{key}", "is missing; Hermes skips an entry without it")


def _check_platforms(path: str, value: Any, keys: Mapping[str, Any]) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield wrong_kind(path, "platforms", value, ("map",))
        return
    known = keys.get("platforms") or ()
    for name, entry in value.items():
        if known and str(name).lower() not in known:
            yield Problem(
                path, f"platforms.{name}", f"Hermes has no such platform{suggest(str(name), known)}"
            )
            continue
        yield from check_map(
            path, f"platforms.{name}", entry, {**_PLATFORM, "token": "str", "api_key": "str"}
        )
        for secret in ("token", "api_key"):
            if isinstance(entry, Mapping) and secret in entry:
                where = f"platforms.{name}.{secret}"
                yield Problem(path, where, "is a secret; put it into the agent's secrets as a variable")
        if name == "api_server" and isinstance(entry, Mapping):
            yield from _check_api_server(path, entry.get("extra"))


def _check_api_server(path: str, extra: Any) -> Iterator[Problem]:
    """The API is remote code execution for whoever has its key, so it listens on loopback only."""
    if not isinstance(extra, Mapping):
        return
    for key in extra:
        if key not in _API_SERVER:
            hint = suggest(str(key), _API_SERVER) or f"; known are {', '.join(_API_SERVER)}"
            yield Problem(path, f"platforms.api_server.extra.{key}", f"Hermes drops this key unread{hint}")
    if extra.get("host") not in ("127.0.0.1", "::1", "localhost"):
        yield Problem(
            path, "platforms.api_server.extra.host", "must be 127.0.0.1; the API runs commands as the agent"
        )
    if "port" in extra and not is_kind(extra["port"], int):
        yield wrong_kind(path, "platforms.api_server.extra.port", extra["port"], ("int",))
    if "key" in extra:
        yield Problem(
            path, "platforms.api_server.extra.key", "is a secret; it comes as API_SERVER_KEY, drop it here"
        )


def _check_mcp(path: str, value: Any, _keys: Mapping[str, Any]) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield wrong_kind(path, "mcp_servers", value, ("map",))
        return
    for name, entry in value.items():
        yield from check_map(path, f"mcp_servers.{name}", entry, _MCP)
        if isinstance(entry, Mapping) and ("command" in entry) == ("url" in entry):
            yield Problem(path, f"mcp_servers.{name}", "must have a command or a url, one of the two")


def _check_hooks(path: str, value: Any, keys: Mapping[str, Any]) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield wrong_kind(path, "hooks", value, ("map",))
        return
    for event, entries in value.items():
        if event not in keys["hooks"]:
            yield Problem(
                path, f"hooks.{event}", f"Hermes never fires this event{suggest(str(event), keys['hooks'])}"
            )
        elif not isinstance(entries, list):
            yield wrong_kind(path, f"hooks.{event}", entries, ("list",))
        else:
            for number, entry in enumerate(entries):
                name = f"hooks.{event}[{number}]"
                yield from check_map(path, name, entry, _HOOK)
                if isinstance(entry, Mapping):
                    yield from _check_hook(path, name, entry)


def _check_hook(path: str, name: str, entry: Mapping[str, Any]) -> Iterator[Problem]:
    """What Hermes skips, or reads as something wider than what was meant."""
    if not str(entry.get("command") or "").strip():
        yield Problem(path, f"{name}.command", "is missing; Hermes skips a hook without it")
    try:
        re.compile(str(entry.get("matcher") or ""))
    except re.error as error:
        yield Problem(path, f"{name}.matcher", f"is no regular expression ({error}); mend it")


def _check_quick_commands(path: str, value: Any, _keys: Mapping[str, Any]) -> Iterator[Problem]:
    if not isinstance(value, Mapping):
        yield wrong_kind(path, "quick_commands", value, ("map",))
        return
    for name, entry in value.items():
        where = f"quick_commands.{name}"
        kind = entry.get("type") if isinstance(entry, Mapping) else None
        if kind not in _QUICK:
            yield Problem(
                path, f"{where}.type", f"is {kind!r}; use exec with a command, or alias with a target"
            )
        elif not str(entry.get(_QUICK[kind]) or "").strip():
            yield Problem(
                path, f"{where}.{_QUICK[kind]}", f"is missing; a command of type {kind} does nothing without"
            )


SECTION_CHECKS = {
    "model": _check_model,
    "providers": _check_providers,
    "fallback_providers": _check_fallbacks,
    "platforms": _check_platforms,
    "mcp_servers": _check_mcp,
    "hooks": _check_hooks,
    "quick_commands": _check_quick_commands,
}
