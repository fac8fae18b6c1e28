# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mutations of the overlay, with the expression by which the real Hermes says what it makes of each.

A row is (name, file, change, judge, line). The change sets dotted keys, or replaces text. An empty line means that
Hermes honours the mutation and we must not refuse it; else it ignores it, or breaks, and the line names the fix.
The judge is asked before and after the change: `=` in front of it compares both answers (equal means ignored), `?`
wants the truth of it (false means ignored), `unread:` names a word that stands nowhere in Hermes' source, and a
row of our own formats has no judge.
"""

# ruff: noqa: E501 - a table has one row to a line
# fmt: off

from __future__ import annotations

from typing import Any

CONFIG, HOME, SEED = "config.yaml", "home-config.yaml", "seed/config.yaml"
CRON, SKILL, SKIN = "cron/weekly-memory-tidy.yaml", "skills/fleet/{skill}/SKILL.md", "skins/timmy.yaml"
ENV, CHANNELS, PLAYBOOK = "timmy_wizard_secrets", "channel_directory.json", "playbooks/bug-fixer.yaml"
PROVIDER = {"ollama": {"base_url": "http://127.0.0.1:11434/v1", "default_model": "gemma-4-31b-it", "context_length": 65536}}
HOOK = {"command": "/bin/true"}

Row = tuple[str, str, dict[str, Any] | tuple[str, str], str, str]


def provider(**more: Any) -> dict[str, Any]:
    return {"ollama": {**PROVIDER["ollama"], **more}}


def known(entry: str) -> str:
    """The provider as Hermes' own resolver has it after normalising."""
    return f"=hermes_cli__runtime_provider._get_named_custom_provider({entry!r})"


RESOLVES = "?takes(hermes_cli__auth.resolve_provider, {!r})"
KEYED = "?hermes_cli__runtime_provider.resolve_runtime_provider(requested='ollama')['api_key'] != 'no-key-required'"
TOOLSET = "?toolsets.validate_toolset({!r})"
PLATFORM = "?takes(gateway__config.Platform, {!r})"
SCHEDULE = "?takes(lambda text: cron__jobs.parse_schedule(text)['kind'] != 'once', {!r})"
SKILL_SEEN = "?[one for one in tools__skills_tool._find_all_skills() if one['name'] == {!r}]"

UNKNOWN_KEYS: list[Row] = [
    ("a leaf", CONFIG, {"agent.max_turn": 60}, "unread:max_turn", "agent.max_turn: .*mean agent.max_turns"),
    ("a section", CONFIG, {"approval.mode": "off"}, "=leaf('approvals.mode')", "approval.mode: .*approvals.mode"),
    ("deep", CONFIG, {"gateway.api_server.max_runs": 4}, "unread:max_runs", "gateway.api_server.max_runs: "),
    ("a typo", CONFIG, {"compression.treshold": 0.4}, "unread:treshold", "mean compression.threshold"),
    ("a plural", CONFIG, {"security.redact_secret": True}, "unread:redact_secret", "mean security.redact_secrets"),
    ("a guess", CONFIG, {"memory.char_limit": 9}, "=leaf('memory.memory_char_limit')", "memory.char_limit: "),
    ("case", CONFIG, {"agent.Max_Turns": 7}, "=leaf('agent.max_turns')", "agent.Max_Turns: .*agent.max_turns"),
    ("a space", CONFIG, {"agent.max_turns ": 7}, "=leaf('agent.max_turns')", "Hermes 0.19.0 has no such key"),
    ("a number", CONFIG, {"agent.7": 7}, "=leaf('agent.max_turns')", "agent.7: Hermes 0.19.0 has no such key"),
    ("of logging", CONFIG, {"logging.lvl": "DEBUG"}, "=leaf('logging.level')", "logging.lvl: "),
    ("of curator", CONFIG, {"curator.enable": False}, "=leaf('curator.enabled')", "mean curator.enabled"),
    ("of a task", CONFIG, {"auxiliary.compresion.timeout": 9}, "unread:compresion", "mean auxiliary.compression"),
    ("of a model", CONFIG, {"model.contextlength": 65536}, "unread:contextlength", "mean context_length"),
    ("of a provider", CONFIG, {"providers": provider(baseurl="x")}, known("ollama"), "drops this key unread"),
    ("of a platform", CONFIG, {"platforms.api_server.extra.prot": 1}, "unread:prot", "drops this key unread.*port"),
    ("of the home", HOME, {"browser.allow_private_url": True}, "unread:allow_private_url", "allow_private_urls"),
    ("of the seed", SEED, {"agent.max_turn": 60}, "unread:max_turn", "seed/config.yaml: agent.max_turn: "),
    ("in a hook", CONFIG, {"hooks": {"pre_tool_call": [{**HOOK, "timeuot": 5}]}}, "unread:timeuot", "mean timeout"),
]
WRONG_TYPES: list[Row] = [
    ("words for a number", CONFIG, {"agent.max_turns": "lots"}, "?takes(int, leaf('agent.max_turns'))", "whole num"),
    ("a section as number", CONFIG, {"compression": 5}, "?takes(lambda: leaf('compression')['threshold'])", "mapping"),
    ("a section as list", CONFIG, {"display": []}, "?takes(lambda: leaf('display')['skin'])", "display: must be a map"),
    ("a list as text", CONFIG, {"approvals.deny": "sudo *"}, "?isinstance(leaf('approvals.deny'), list)", "a list"),
    ("bare off", CONFIG, {"onboarding.profile_build": False}, "?leaf('onboarding.profile_build') in ('ask', 'off')", "must be quoted"),
    ("a flag as text", CONFIG, {"sessions.auto_prune": "never"}, "?leaf('sessions.auto_prune') is False", "true or"),
    ("a number in a list", HOME, {"terminal.env_passthrough": [5]}, "?takes(str.strip, 5)", "must be text"),
    ("a model as text", CONFIG, {"model": "gemma"}, "?isinstance(leaf('model'), dict)", "model: must be a mapping"),
    ("an entry as text", CONFIG, {"fallback_providers": ["gemini"]},
     "?hermes_cli__fallback_config.get_fallback_chain({'fallback_providers': ['gemini']})", "must be a mapping"),
    ("a small window", CONFIG, {"model.context_length": 8192}, "?8192 >= agent__model_metadata.MINIMUM_CONTEXT_LENGTH", "starts no agent below"),
    ("an old schema", CONFIG, {"_config_version": 12}, "?12 == hermes_cli__config.DEFAULT_CONFIG['_config_version']", "must be 33"),
]
WORDS: list[Row] = [
    ("a provider", CONFIG, {"model.provider": "olama"}, RESOLVES.format("olama"), "no provider 'olama'.*ollama"),
    ("an alias", CONFIG, {"model.provider": "google"}, RESOLVES.format("google"), ""),

    (
        "a fallback", CONFIG, {"fallback_providers": [{"provider": "opnrouter", "model": "x"}]},
        RESOLVES.format("opnrouter"), "fallback_providers.0..provider: no provider",
    ),
    ("a known fallback", CONFIG, {"fallback_providers": [{"provider": "claude", "model": "x"}]}, RESOLVES.format("claude"), ""),
    ("no model", CONFIG, {"fallback_providers": [{"provider": "gemini"}]},
     "?hermes_cli__fallback_config.get_fallback_chain({'fallback_providers': [{'provider': 'gemini'}]})", "model: is missing"),
    ("a side task", CONFIG, {"auxiliary.compression.provider": "gemni"}, RESOLVES.format("gemni"), "no provider 'gemni'.*gemini"),
    ("a sub-agent", CONFIG, {"delegation.provider": "anthropc"}, RESOLVES.format("anthropc"), "no provider 'anthropc'"),
    ("a way to speak", CONFIG, {"model.api_mode": "anthropc"},
     "?hermes_cli__runtime_provider._parse_api_mode('anthropc')", "model.api_mode: .*anthropic_messages"),
    ("a known way", CONFIG, {"model.api_mode": "Chat_Completions"}, "?hermes_cli__runtime_provider._parse_api_mode('Chat_Completions')", ""),
    ("a toolset", CONFIG, {"toolsets": ["hermes-clii"]}, TOOLSET.format("hermes-clii"), "no toolset 'hermes-clii'.*hermes-cli"),
    ("all toolsets", CONFIG, {"toolsets": ["all"]}, TOOLSET.format("all"), ""),
    ("one less", CONFIG, {"agent.disabled_toolsets": ["broswer"]}, TOOLSET.format("broswer"), "no toolset 'broswer'.*browser"),
    ("a known one less", CONFIG, {"agent.disabled_toolsets": ["browser"]}, TOOLSET.format("browser"), ""),
    ("tools of nobody", CONFIG, {"platform_toolsets": {"telegrm": ["web"]}}, PLATFORM.format("telegrm"), "no platform 'telegrm'.*telegram"),
    ("unknown tools", CONFIG, {"platform_toolsets": {"telegram": ["wev"]}}, TOOLSET.format("wev"), "no toolset 'wev'"),
    ("tools", CONFIG, {"platform_toolsets": {"telegram": ["web"]}}, PLATFORM.format("telegram"), ""),
    ("a platform", CONFIG, {"platforms.telegrm": {"enabled": True}}, "=sorted(p.value for p in gateway().platforms)", "no such platform.*telegram"),
    ("a known platform", CONFIG, {"platforms.irc": {"enabled": True}}, PLATFORM.format("irc"), ""),
    ("replies", CONFIG, {"platforms.telegram": {"reply_to_mode": "alll"}}, "unread:alll", "reply_to_mode: 'alll' means nothing"),
    ("a skin", CONFIG, {"display.skin": "tymmy"}, "?hermes_cli__skin_engine.load_skin('tymmy').name == 'tymmy'", "no skin 'tymmy'.*timmy"),
    ("a skin of Hermes", CONFIG, {"display.skin": "ares"}, "?hermes_cli__skin_engine.load_skin('ares').name == 'ares'", ""),
    ("a personality", CONFIG, {"display.personality": "pirat"},
     "?'pirat' in cli.load_cli_config()['agent']['personalities']", "no personality 'pirat'.*pirate"),
    ("a known personality", CONFIG, {"display.personality": "pirate"}, "?'pirate' in cli.load_cli_config()['agent']['personalities']", ""),
    ("a zone", CONFIG, {"timezone": "Europe/Berln"}, "?hermes_time.get_timezone()", "no timezone 'Europe/Berln'.*Europe/Berlin"),
    ("a known zone", CONFIG, {"timezone": "Europe/Berlin"}, "?hermes_time.get_timezone()", ""),
    ("a language", CONFIG, {"display.language": "xx"}, "?agent__i18n._normalize_lang('xx') == 'xx'", "does not speak 'xx'"),
    ("a dialect", CONFIG, {"display.language": "de-AT"}, "?agent__i18n._normalize_lang('de-AT') == 'de'", ""),
    ("a named language", CONFIG, {"display.language": "german"}, "?agent__i18n._normalize_lang('german') == 'de'", ""),
    ("approvals", CONFIG, {"approvals.mode": "smrt"},
     "?tools__approval._normalize_approval_mode('smrt') == 'smrt'", "approvals.mode: 'smrt' means nothing"),
    ("capitals", CONFIG, {"approvals.mode": "Smart"}, "?tools__approval._normalize_approval_mode('Smart') == 'smart'", ""),
    ("approvals of cron", CONFIG, {"approvals.cron_mode": "permit"},
     "=tools__approval._get_cron_approval_mode()", "cron_mode: 'permit' means nothing"),
    ("another yes", CONFIG, {"approvals.cron_mode": "allow"}, "=tools__approval._get_cron_approval_mode()", ""),
    ("a reset", CONFIG, {"session_reset.mode": "dayly"}, "unread:dayly", "session_reset.mode: 'dayly' means nothing"),
    ("strangers", CONFIG, {"unauthorized_dm_behavior": "drop"},
     "?gateway__config._normalize_unauthorized_dm_behavior('drop') == 'drop'", "means nothing to Hermes; use one of pair, ignore"),
    ("an effort", CONFIG, {"agent.reasoning_effort": "huge"},
     "?hermes_constants.parse_reasoning_effort('huge')", "reasoning_effort: 'huge' means nothing"),
    ("a known effort", CONFIG, {"agent.reasoning_effort": "xhigh"}, "?hermes_constants.parse_reasoning_effort('xhigh')", ""),
    ("of a sub-agent", CONFIG, {"delegation.reasoning_effort": "huge"},
     "?hermes_constants.parse_reasoning_effort('huge')", "delegation.reasoning_effort"),
    ("how code runs", HOME, {"code_execution.mode": "wild"}, "=tools__code_execution_tool._get_execution_mode()", "use one of project, strict"),
    ("how code may run", HOME, {"code_execution.mode": "strict"}, "=tools__code_execution_tool._get_execution_mode()", ""),
    ("pictures", CONFIG, {"agent.image_input_mode": "ocr"},
     "?agent__image_routing._coerce_mode('ocr') == 'ocr'", "image_input_mode: 'ocr' means nothing"),
    ("bubbles", CONFIG, {"display.tool_progress_grouping": "one"},
     "=gateway__display_config.resolve_display_setting({'display': leaf('display')}, 'telegram', 'tool_progress_grouping')",
     "use one of accumulate, separate"),
    ("separate bubbles", CONFIG, {"display.tool_progress_grouping": "separate"},
     "=gateway__display_config.resolve_display_setting({'display': leaf('display')}, 'telegram', 'tool_progress_grouping')", ""),
    ("a backup", CONFIG, {"updates.pre_update_backup": "now-and-then"}, "unread:now-and-then", "pre_update_backup: 'now-and-then' means nothing"),
    ("a level", CONFIG, {"logging.level": "LOUD"}, "?hasattr(logging, 'LOUD')", "logging.level: 'LOUD' means nothing"),
    ("a small level", CONFIG, {"logging.level": "debug"}, "?hasattr(logging, 'debug'.upper())", ""),
    ("a memory", CONFIG, {"memory.provider": "hnocho"},
     "?takes(plugins__memory.load_memory_provider, 'hnocho')", "no memory provider 'hnocho'.*honcho"),
    ("an event", CONFIG, {"hooks": {"pre_tool_cal": [HOOK]}, "hooks_auto_accept": True},
     "?agent__shell_hooks.iter_configured_hooks({'hooks': {'pre_tool_cal': [{'command': '/bin/true'}]}})", "never fires this event"),
    ("a hook that does nothing", CONFIG, {"hooks": {"pre_tool_call": [{"matcher": "x"}]}, "hooks_auto_accept": True},
     "?agent__shell_hooks.iter_configured_hooks({'hooks': {'pre_tool_call': [{'matcher': 'x'}]}})", "command: is missing"),
    ("a hook that nobody allows", CONFIG, {"hooks": {"pre_tool_call": [HOOK]}, "hooks_auto_accept": False},
     "?agent__shell_hooks.register_from_config(hermes_cli__config.load_config(), accept_hooks=False)", "set hooks_auto_accept: true"),
    ("a hook", CONFIG, {"hooks": {"pre_tool_call": [HOOK]}, "hooks_auto_accept": True},
     "?agent__shell_hooks.register_from_config(hermes_cli__config.load_config(), accept_hooks=False)", ""),
    ("a shortcut", CONFIG, {"quick_commands": {"x": {"type": "exce", "command": "date"}}}, "unread:exce", "use exec with a command"),
]
LAYERS: list[Row] = [
    ("skills in the wrong layer", CONFIG, {"skills.external_dirs": ["/usr/share"]},
     "=agent__skill_utils.get_external_skills_dirs()", "move it to home-config.yaml"),
    ("skills", HOME, {"skills.external_dirs": ["/usr/share"]}, "=agent__skill_utils.get_external_skills_dirs()", ""),
    ("a seed that loses", SEED, {"display.skin": "ares"}, "=leaf('display.skin')", "set in config.yaml too, which wins"),
    ("a seed", SEED, {"display.compact": True}, "=leaf('display.compact')", ""),
    ("a variable of nobody", CONFIG, {"agent.environment_hint": "${NO_SUCH_ONE}"},
     "?'${' not in leaf('agent.environment_hint')", "refers to NO_SUCH_ONE, which agent ezra does not have"),
    ("a key of nobody", CONFIG, {"providers": provider(key_env="NO_SUCH_KEY")}, KEYED, "refers to NO_SUCH_KEY"),
    ("a key in place of its name", CONFIG, {"providers": provider(key_env="sk-abc")}, KEYED, "must be the name of a variable"),
    ("a provider without a place", CONFIG, {"providers": {"ollama": {"default_model": "x"}}},
     "?hermes_cli__runtime_provider._get_named_custom_provider('ollama')", "base_url: is missing"),
    ("a variable", ENV, {"TELEGRAM_BOT_TOEN": "x"}, "unread:TELEGRAM_BOT_TOEN", "no such variable; did you mean TELEGRAM_BOT_TOKEN"),
    ("a key", ENV, {"OPENROUTER_APIKEY": "x"}, "unread:OPENROUTER_APIKEY", "no such variable; did you mean OPENROUTER_API_KEY"),
    ("a known variable", ENV, {"OPENROUTER_BASE_URL": "http://x"}, "unread:OPENROUTER_BASE_URL", ""),

    (
        "a chat", CHANNELS, {"channels": [{"name": "a", "platform": "telegrm", "id": "1", "purpose": "x"}]},
        PLATFORM.format("telegrm"), "no platform 'telegrm'.*telegram",
    ),
]
FILES: list[Row] = [
    ("a field of a job", CRON, {"promt": "x"}, "unread:promt", "promt: no such key here.*prompt"),
    ("a minute", CRON, {"schedule": "61 * * * *"}, SCHEDULE.format("61 * * * *"), "'61' is not within 0-59"),
    ("a weekday", CRON, {"schedule": "0 9 * * mon"}, SCHEDULE.format("0 9 * * mon"), "use five fields"),
    ("a name for it", CRON, {"schedule": "@daily"}, SCHEDULE.format("@daily"), "use five fields"),
    ("seconds", CRON, {"schedule": "every 90s"}, SCHEDULE.format("every 90s"), "use five fields"),
    ("only once", CRON, {"schedule": "30m"}, SCHEDULE.format("30m"), "does not repeat"),
    ("hours in words", CRON, {"schedule": "every 2 hours"}, SCHEDULE.format("every 2 hours"), ""),
    ("a step", CRON, {"schedule": "*/15 8-18 * * 1-5"}, SCHEDULE.format("*/15 8-18 * * 1-5"), ""),
    ("tools of a job", CRON, {"enabled_toolsets": ["wev"]}, TOOLSET.format("wev"), "no toolset 'wev'"),
    ("a provider of a job", CRON, {"provider": "olama"}, RESOLVES.format("olama"), "cron/weekly-memory-tidy.yaml: provider: no provider"),
    ("a skill of a job", CRON, {"skills": ["no-such-skill"]}, SKILL_SEEN.format("no-such-skill"), "no skill 'no-such-skill'"),
    ("where to", CRON, {"deliver": "telegrm:5"}, PLATFORM.format("telegrm"), "no place 'telegrm:5' to deliver to.*telegram"),
    ("where it may go", CRON, {"deliver": "local"}, PLATFORM.format("local"), ""),
    ("two jobs of one name", CRON, {"name": "morning-self-check"}, "", "must be the file's own name"),
    ("no front matter", SKILL, ("---\n", "\n---\n"), "?agent__skill_utils.parse_frontmatter(open('{path}').read())[0]", "must begin with a block"),
    ("another system", SKILL, ("name:", "platforms: [macos]\nname:"),
     "?agent__skill_utils.skill_matches_platform(agent__skill_utils.parse_frontmatter(open('{path}').read())[0])", "leaves linux out"),
    ("this system", SKILL, ("name:", "platforms: [linux]\nname:"),
     "?agent__skill_utils.skill_matches_platform(agent__skill_utils.parse_frontmatter(open('{path}').read())[0])", ""),
    ("a field of a skill", SKILL, ("name:", "tiggers: [x]\nname:"), "unread:tiggers", "tiggers: no such key here"),
    ("another name", SKILL, ("name: ", "name: x"), "", "must be the folder's own name"),
    ("a colour", SKIN, {"colors.banner_tittle": "#ffffff"},
     "=hermes_cli__skin_engine.load_skin('timmy').colors.get('banner_title')", "colors.banner_tittle: no such key"),
    ("a section of a skin", SKIN, {"colours": {"banner_title": "#ffffff"}},
     "=sorted(hermes_cli__skin_engine.load_skin('timmy').colors.items())", "colours: no such key here.*colors"),
    ("a skin of another name", SKIN, {"name": "tim"}, "?hermes_cli__skin_engine.load_skin('timmy').name == 'timmy'", "must be the file's own name"),
    ("a known colour", SKIN, {"colors.banner_title": "#123456"}, "=sorted(hermes_cli__skin_engine.load_skin('timmy').colors.items())", ""),
    ("a file of memories", "memories/NOTES.md", ("", "A note.\n"), "unread:NOTES.md", "Hermes reads only MEMORY.md and USER.md"),
    ("a field of a playbook", PLAYBOOK, {"step": ["x"]}, "", "step: no such key here.*steps"),
    ("tools of a playbook", PLAYBOOK, {"toolsets": ["wev"]}, TOOLSET.format("wev"), "no toolset 'wev'"),
    ("a class", PLAYBOOK, {"role_class": "forgr"}, "", "not in fallback-portfolios.yaml; did you mean forger"),
    ("a limit", PLAYBOOK, {"limits.max_turns": 0}, "", "limits.max_turns: must be between"),
    ("a key twice", CONFIG, ("agent:\n", "agent:\n  max_turns: 61\n"), "", "config.yaml:.*given twice"),
]
ROWS = [*UNKNOWN_KEYS, *WRONG_TYPES, *WORDS, *LAYERS, *FILES]
