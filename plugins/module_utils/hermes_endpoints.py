# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which endpoints an agent talks to, and under which names it looks for their keys.

Runs in Hermes' own interpreter: only that knows its providers, their aliases, addresses and variables. No key
is needed here and none is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from .hermes_yaml import library

# Without a plain key, with a key that is first traded for another, or without a read that tells keys apart.
UNASKED = frozenset(
    {"bedrock", "azure-foundry", "copilot", "copilot-acp", "minimax-cn", "opencode-go", "vertex"}
)
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


def used(config: Mapping[str, Any], jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each endpoint once, chat platforms with a token too.

    An endpoint is {provider, api, url, url_env, keys, headers, ca, verify}.
    """
    found = [_endpoint(name, config) for name in dict.fromkeys(_names(config, jobs))]
    found += _platforms(config)
    return [one for one in found if one is not None and one["keys"]]


def _names(config: Mapping[str, Any], jobs: list[dict[str, Any]]) -> Iterator[str]:
    """Every provider that the configuration or a job names, the primary first."""
    sections = [
        config.get("model"),
        *(config.get("fallback_providers") or []),
        config.get("delegation"),
        *jobs,
    ]
    auxiliary = config.get("auxiliary")
    sections += list(auxiliary.values()) if isinstance(auxiliary, Mapping) else []
    for section in sections:
        name = section.get("provider") if isinstance(section, Mapping) else None
        if isinstance(name, str) and name.strip() not in ("", "auto", "main"):
            yield name.strip()


def _endpoint(name: str, config: Mapping[str, Any]) -> dict[str, Any] | None:
    named = config.get("providers")
    entry = named.get(name.removeprefix("custom:")) if isinstance(named, Mapping) else None
    if isinstance(entry, Mapping) and entry.get("base_url"):
        return _named(name, entry)
    model = config.get("model")
    primary = model if isinstance(model, Mapping) and model.get("provider") == name else {}
    auth = library("hermes_cli.auth")
    try:
        canonical = auth.resolve_provider(name)
    except auth.AuthError:
        return None
    if canonical in UNASKED:
        return None
    if canonical == "custom":
        return _record(name, str(primary.get("base_url") or ""), _from_text(primary.get("api_key")), primary)
    return _builtin(name, canonical, primary)


def _named(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    keys = [str(entry["key_env"])] if entry.get("key_env") else _from_text(entry.get("api_key"))
    return _record(name, str(entry["base_url"]), keys, entry)


def _builtin(name: str, canonical: str, primary: Mapping[str, Any]) -> dict[str, Any] | None:
    """A provider of Hermes' own list. A base_url beside model.provider goes before variable and list."""
    profile = library("providers").get_provider_profile(canonical)
    if profile is not None and not profile.supports_health_check:
        return None
    if canonical == "openrouter":
        constants = library("hermes_constants")
        url, url_env, keys = constants.OPENROUTER_BASE_URL, "OPENROUTER_BASE_URL", ["OPENROUTER_API_KEY"]
    else:
        entry = library("hermes_cli.auth").PROVIDER_REGISTRY.get(canonical)
        if entry is None or entry.auth_type != "api_key":
            return None
        url, url_env, keys = entry.inference_base_url, entry.base_url_env_var, list(entry.api_key_env_vars)
    given = _from_text(primary.get("api_key"))
    own = str(primary.get("base_url") or "")
    record = _record(name, own or url, given or keys, primary, canonical)
    record["url_env"] = "" if own else url_env
    return record


def _record(
    name: str, url: str, keys: list[str], about: Mapping[str, Any], canonical: str = ""
) -> dict[str, Any]:
    headers = about.get("extra_headers")
    return {
        "provider": name,
        "api": api_of(url, str(about.get("api_mode") or about.get("transport") or ""), canonical),
        "url": url,
        "url_env": "",
        "keys": keys,
        "headers": {str(key): str(value) for key, value in headers.items()}
        if isinstance(headers, Mapping)
        else {},
        "ca": str(about.get("ssl_ca_cert") or ""),
        "verify": about.get("ssl_verify") is not False,
    }


def api_of(url: str, mode: str, canonical: str = "") -> str:
    """Which of the known ways to ask an endpoint about a key fits it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if canonical == "openrouter" or host == "openrouter.ai" or host.endswith(".openrouter.ai"):
        return "openrouter"
    if (
        canonical == "anthropic"
        or mode == "anthropic_messages"
        or parts.path.rstrip("/").endswith("/anthropic")
    ):
        return "anthropic"
    if canonical == "gemini" and not parts.path.rstrip("/").endswith("/openai"):
        return "gemini"
    return "openai"


def _from_text(value: Any) -> list[str]:
    """The variable that a configured key is taken from."""
    found = _VARIABLE.fullmatch(value.strip()) if isinstance(value, str) else None
    return [found.group(1)] if found else []


def _platforms(config: Mapping[str, Any]) -> Iterator[dict[str, Any] | None]:
    """Chat platforms that a token switches on."""
    platforms = config.get("platforms")
    for name, variable, url in (
        ("telegram", "TELEGRAM_BOT_TOKEN", "https://api.telegram.org/bot"),
        ("discord", "DISCORD_BOT_TOKEN", "https://discord.com/api/v10"),
    ):
        entry = platforms.get(name) if isinstance(platforms, Mapping) else None
        about = entry if isinstance(entry, Mapping) else {}
        if about.get("enabled") is False:
            continue
        extra = about.get("extra")
        own = extra.get("base_url") if isinstance(extra, Mapping) and name == "telegram" else None
        yield {**_record(name, str(own or url), [variable], {}), "api": name}
