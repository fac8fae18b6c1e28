# Copyright (c) 2026 the timmy-config authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of the forge. Times are seconds since 1970 (UTC); lists and maps inside a column are JSON."""

from __future__ import annotations

VERSION = 2

TABLES = """
create table if not exists user (
  id integer primary key autoincrement, name text not null, lower text not null unique,
  kind text not null default 'user', email text not null default '', password text not null default '',
  full_name text not null default '', description text not null default '', website text not null default '',
  location text not null default '', visibility text not null default 'public',
  login_name text not null default '',
  admin integer not null default 0, active integer not null default 1, restricted integer not null default 0,
  prohibit_login integer not null default 0, must_change integer not null default 0,
  repo_admin_team integer not null default 0, created integer not null);
create table if not exists user_redirect (lower text primary key, user_id integer not null);
create table if not exists token (
  id integer primary key autoincrement, user_id integer not null, name text not null,
  hash text not null unique,
  last_eight text not null, scopes text not null, created integer not null, used integer not null,
  unique (user_id, name));
create table if not exists team (
  id integer primary key autoincrement, org_id integer not null, name text not null, lower text not null,
  description text not null default '', permission text not null default 'none',
  units text not null default '{}',
  all_repos integer not null default 0, create_repo integer not null default 0, unique (org_id, lower));
create table if not exists team_member (team_id integer not null, user_id integer not null,
  primary key (team_id, user_id));
create table if not exists team_repo (team_id integer not null, repo_id integer not null,
  primary key (team_id, repo_id));
create table if not exists repo (
  id integer primary key autoincrement, owner_id integer not null, name text not null, lower text not null,
  description text not null default '', website text not null default '', private integer not null default 0,
  empty integer not null default 1, archived integer not null default 0,
  archived_at integer not null default 0,
  fork_of integer, template integer not null default 0, default_branch text not null default 'main',
  size integer not null default 0, settings text not null default '{}', topics text not null default '[]',
  last_number integer not null default 0,
  created integer not null, updated integer not null, unique (owner_id, lower));
create table if not exists repo_redirect (owner_id integer not null, lower text not null,
  repo_id integer not null,
  primary key (owner_id, lower));
create table if not exists transfer (repo_id integer primary key, doer_id integer not null,
  recipient_id integer not null);
create table if not exists collaborator (repo_id integer not null, user_id integer not null,
  mode integer not null,
  primary key (repo_id, user_id));
create table if not exists label (
  id integer primary key autoincrement, repo_id integer, org_id integer, name text not null,
  color text not null, description text not null default '', exclusive integer not null default 0,
  archived integer not null default 0);
create index if not exists label_repo on label (repo_id, name);
create table if not exists milestone (
  id integer primary key autoincrement, repo_id integer not null, title text not null,
  description text not null default '', closed integer not null default 0, due integer not null default 0,
  created integer not null, updated integer not null, closed_at integer not null default 0);
create table if not exists issue (
  id integer primary key autoincrement, repo_id integer not null, number integer not null,
  poster_id integer not null, title text not null, body text not null, ref text not null default '',
  closed integer not null default 0, closed_at integer not null default 0, is_pull integer not null default 0,
  locked integer not null default 0, milestone_id integer not null default 0, due integer not null default 0,
  version integer not null default 0, comments integer not null default 0, pin integer not null default 0,
  created integer not null, updated integer not null, unique (repo_id, number));
create index if not exists issue_list on issue (repo_id, closed, created);
create table if not exists issue_label (issue_id integer not null, label_id integer not null,
  primary key (issue_id, label_id));
create table if not exists assignee (id integer primary key autoincrement, issue_id integer not null,
  user_id integer not null);
create index if not exists assignee_issue on assignee (issue_id);
create table if not exists dependency (issue_id integer not null, needs_id integer not null,
  primary key (issue_id, needs_id));
create table if not exists comment (
  id integer primary key autoincrement, issue_id integer not null, kind text not null,
  poster_id integer not null,
  body text not null default '', data text not null default '{}', ref_repo_id integer not null default 0,
  created integer not null, updated integer not null);
create index if not exists comment_issue on comment (issue_id, id);
create table if not exists pull (
  id integer primary key autoincrement, issue_id integer not null unique, repo_id integer not null,
  number integer not null, head_repo_id integer not null, head text not null, base text not null,
  head_sha text not null default '', merge_base text not null default '',
  state text not null default 'checking',
  check_after real not null default 0, behind integer not null default 0, merged integer not null default 0,
  merged_at integer not null default 0, merged_by integer not null default 0,
  merge_sha text not null default '',
  intent text not null default '', schedule text not null default '',
  maintainer_edit integer not null default 1,
  flow integer not null default 0, files text not null default '[]', counts text not null default '0 0 0');
create index if not exists pull_pair on pull (head_repo_id, head, repo_id, base);
create table if not exists review (
  id integer primary key autoincrement, pull_id integer not null, user_id integer not null,
  state text not null,
  body text not null default '', commit_id text not null default '', official integer not null default 0,
  stale integer not null default 0, dismissed integer not null default 0,
  comment_id integer not null default 0,
  created integer not null, updated integer not null);
create table if not exists status (
  id integer primary key autoincrement, repo_id integer not null, position integer not null,
  sha text not null,
  context text not null, state text not null, target_url text not null, description text not null,
  creator_id integer not null, created integer not null);
create index if not exists status_sha on status (repo_id, sha);
create table if not exists protection (
  id integer primary key autoincrement, repo_id integer not null, name text not null, data text not null,
  created integer not null, updated integer not null, unique (repo_id, name));
create table if not exists hook (
  id integer primary key autoincrement, repo_id integer, org_id integer, kind text not null,
  url text not null,
  content_type text not null, secret text not null, events text not null, active integer not null,
  branch_filter text not null default '', authorization text not null default '',
  name text not null default '',
  created integer not null, updated integer not null);
create table if not exists delivery (
  id integer primary key autoincrement, hook_id integer not null, uuid text not null, event text not null,
  event_type text not null, payload text not null, state text not null default 'queued', status integer,
  error text not null default '', created real not null, sent real);
create index if not exists delivery_state on delivery (state, id);
create table if not exists push_event (
  id integer primary key autoincrement, repo_id integer not null, user_id integer not null, ref text not null,
  old text not null, new text not null, source text not null, base text not null default '',
  created real not null);
create table if not exists deploy_key (
  id integer primary key autoincrement, repo_id integer not null, title text not null, content text not null,
  fingerprint text not null, read_only integer not null, created integer not null);
create table if not exists release (
  id integer primary key autoincrement, repo_id integer not null, tag text not null, target text not null,
  title text not null, body text not null, draft integer not null, prerelease integer not null,
  author_id integer not null, created integer not null, published integer not null);
create table if not exists attachment (
  id integer primary key autoincrement, release_id integer not null, uuid text not null unique,
  name text not null, size integer not null, downloads integer not null default 0, created integer not null);
create index if not exists attachment_release on attachment (release_id);
create table if not exists secret (
  id integer primary key autoincrement, repo_id integer not null default 0,
  owner_id integer not null default 0,
  name text not null, data text not null, description text not null, created integer not null,
  unique (repo_id, owner_id, name));
create table if not exists variable (
  id integer primary key autoincrement, repo_id integer not null default 0,
  owner_id integer not null default 0,
  name text not null, data text not null, description text not null, created integer not null,
  unique (repo_id, owner_id, name));
"""
